"""Phrases and words by which a lead's stance to an offer is told. Data only.

A sentence is lower-case words between single blanks, contractions written out (``handshake_words``); in a clause
every name of a slot is ``@`` and a number.
"""

from __future__ import annotations

import re
from typing import Final


def _phrases(*alternatives: str) -> re.Pattern[str]:
    """Any of them, as whole words."""
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b")


def _patterns(*alternatives: str) -> re.Pattern[str]:
    """Any of them, as they are written."""
    return re.compile("|".join(alternatives))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CORRECTION: Final = _phrases(
    "actually", "i meant", "i mean", "scratch that", "correction", "on second thought", "wait no",
    "wait ,? ?no", "sorry ,? ?(?:not|i meant|wrong)", "no ,? ?sorry", "never ?mind that", "my bad", "changed my mind",
)  # fmt: skip
"""Takes back what was said before."""
TAKES_BACK: Final = _phrases(
    "no ,? ?wait", "no ,? ?sorry", "wait ,? ?no", "scratch that", "correction", "(?:sorry ,? ?)?i meant", "i mean", "make that",
)  # fmt: skip
"""Takes back the beginning of its own sentence, where it names something after it."""
SAID_BEFORE: Final = _patterns(
    r"\b(?:originally|initially|previously|earlier|before|at first|first|last time|know)\b.*\b(?:said|told|thought|wrote|picked|chose|asked|wanted|planned|mentioned|agreed)\b",
    r"\b(?:i|we)(?: had| have| would)? (?:said|told you|thought|wrote|picked|chose|asked for|wanted|planned|mentioned)\b.*\b(?:originally|initially|previously|earlier|before|at first|last time)\b",
)
"""Tells what the lead said before, which may not hold any more."""
NEWS: Final = _phrases("been", "changed", "swapped", "moved", "cancell?ed", "opened up", "freed up")
"""What has happened is no condition."""
COUNTERFACTUAL: Final = _phrases(
    "(?:would|could|might) have(?: been| done| come| made)", "i wish", "we wish", "if only", "was going to",
    "(?:i|we) (?:was|were|used to be|had been) (?:free|available|off|open|around|able)",
)  # fmt: skip
"""Says what is not so."""
SHIFTED: Final = _patterns(
    r"(?<!you )(?<!ya )\b(?:later|earlier|sooner)\b(?! (?:than|to))",
)
"""Wants what it names, only later or earlier."""
ONLY_SHIFTS: Final = _patterns(
    r"^(?:maybe |just |can it be |could it be )?(?:(?:a (?:bit|little)|slightly|an hour|half an hour|much) )?(?:later|earlier|sooner)"
    r"(?: (?:please|in the day|then|on))*$"
)
"""The same, in a clause of its own."""
ASKS_WHEN: Final = _patterns(r"^(?:is|was) (?:(?:that|it|this) )?(?:(?:on|the) )?@\d+(?: @\d+)*$")
"""Asks when something is, not for a visit then."""
COMPANY: Final = _patterns(
    r" (?:together |along )?with (?:(?:my|our)(?: [a-z0-9]+){1,3}|(?:the |all the )?(?:kids|children|family))(?= ?$| ,| and| @)"
)
"""Who comes along, whoever it is: the same answer for a husband, a carer and a priest."""
AGREES_WITH: Final = _phrases(
    "(?:confirm|confirming|check|checking|clear|talk|talking|speak|speaking|discuss|agree|consult|verify|coordinate|decide|sort|arrange|work|figure|run)\\b[^,]* with"
)
"""Somebody is asked, not brought along."""
ANOTHERS_WISH: Final = _patterns(
    r"^(?:(?:my|our|his|her|the) [a-z]+|he|she|they) (?:says?|wants?|prefers?|would (?:prefer|like|rather)|likes?|thinks?|suggests?)\b"
)
"""What somebody who comes along wants."""
RESTATES: Final = _patterns(r"^(?:that|it|this|which) is (?:literally |really )?(?:the|my|our) only\b")
"""Gives the reason for what was named."""
THE_OTHERS: Final = _phrases(
    "others?", "the rest", "otherwise", "else", "last (?:week|time|month)", "before", "earlier", "sooner", "yesterday",
)  # fmt: skip
"""What was not picked, or was missed earlier."""
ALL_OF_THEM: Final = _phrases(
    "none", "neither", "nothing", "any", "either", "those", "these", "them", "all", "both",
)  # fmt: skip
"""Speaks of the whole offer."""
OWN_TIME: Final = _patterns(
    r"\b(?:day|days|week|afternoon|morning) off\b",
    r"\b(?:busy|long|free|only) (?:day|days|week|time)\b",
    r"\bno other\b",
    r"\bthanks? (?:you )?for\b",
    r"\b(?:call|text|email|ring|message|reach|contact|phone|write)(?: to)?(?: me| us)?(?: at)? any ?time\b",
)
"""Speaks of the lead's own time, not of times to be offered."""
FALLBACK: Final = _phrases(
    "failing that", "failing which", "or else", "otherwise", "backup", "back up", "back-up", "plan b", "fallback",
    "fall back", "(?:second|third|next) (?:choice|best|preference)", "as a last resort", "worst case", "at a push",
)  # fmt: skip
"""Names what is to hold if something else does not."""
SARCASM: Final = _phrases(
    "eyeroll", "yes right", "as if", "are you (?:kidding|serious|joking|for real|insane)",
    "you must be (?:kidding|joking)", "kidding me", "seriously", "very funny", "hilarious", "what a joke",
    "in what world", "in your dreams", "dream on", "fat chance", "when pigs fly", "hell freezes",
    "good luck with that", "thanks for nothing", "how convenient",
    "oh (?:great|sure|wonderful|perfect|lovely|fantastic|joy|brilliant|goody|please)", "sure jan",
    "ungodly", "crack of dawn", "nothing better to do",
    "who (?:even |on earth |in their right mind )?(?:views?|tours?|looks|goes|does|gets|visits|shows)",
    "because (?:i|we|everyone|everybody|who|nobody|that is) (?:love|loves|always|totally|never|just love|just|does not|clearly|has|have nothing|enjoy|enjoys|wants|really|tours?|views?|visits?|wakes?|gets? up|is (?:awake|up))",
    "quit my job", "call(?:ing)? in sick", "totally (?:normal|reasonable|realistic)", "like i have nothing",
    "like that is (?:going|ever)", "not like i have", "a real treat", "what could be better",
    "(?:perfect|great|wonderful|fantastic|lovely|brilliant) ,? ?(?:another|just what i|because|as always|middle of|right in the middle)",
    "exactly when (?:everyone|i am|we are|i have|people)", "just what i (?:wanted|needed|always)",
    "how (?:generous|thoughtful|kind) of you", "right when (?:i|everyone)",
    "what a (?:great|lovely|wonderful|perfect|brilliant|fantastic) (?:hour|time to|choice of)",
    "(?:i would|i will) (?:rather|sooner) (?:die|eat)", "sleep is overrated",
    "who needs (?:sleep|a job|work)", "my boss will love", "my boss would love",
    "love (?:getting|waking) up",
)  # fmt: skip
"""Nothing in a message with one of these is taken at its word."""
LAUGHS: Final = _phrases(
    "lol", "lmao", "haha+", "hah", "rofl", "ha", "wow",
)  # fmt: skip
"""Laughs."""
_OUR_VISIT: Final = "(?:my|our|the|that|this)(?: (?!not |no )[a-z0-9@]+){0,2} (?:viewing|tour|showing|visit|appointment|booking)"
CALLS_OFF: Final = _phrases(
    "(?:please |must |to |will |let us |i am |i would like to |can you |could you |want to )?(?:cancel|cancelling|canceling)(?! (?:the |my |our )?(?:lease|rent|contract|policy|fee|application|account))",
    "call(?:ing)? (?:it|the (?:viewing|tour|showing|visit)) off",
    "(?:i am|we are|i will|we will) not (?:be )?(?:coming|attending)",
    "(?:i|we) (?:can|will) not (?:be )?(?:come|coming|attend)(?: any ?more| anymore)?",
    "no longer (?:coming|need the (?:viewing|tour|showing|visit)|able to (?:come|make it|attend))",
    rf"(?:scratch|scrap|scrub|nix|drop|axe|strike|skip) {_OUR_VISIT}",
    rf"(?:bail|bailing|back|backing|bow|bowing) (?:on|out on|out of) {_OUR_VISIT}",
    rf"(?:take|strike|wipe|cross|pull) (?:it|that|this|me|us|mine|ours|{_OUR_VISIT}) (?:off|out of|from) (?:the|your) (?:calendar|books?|schedule|diary)",
    "(?:give|free|open) (?:up )?(?:my|our) (?:slot|time|spot|appointment)(?: up| to| away)?",
)  # fmt: skip
"""Calls a visit off."""
NOT_CALLED_OFF: Final = _patterns(
    r"\b(?:not|never|no|without|if|unless|was it|were you|did you|why|has it been) (?:\w+ ){0,2}cancel",
    r"\bcancel(?:l?ed|lation)\b",
)  # fmt: skip
"""Speaks of cancelling without doing it."""
POLITE_IF: Final = _phrases(
    "(?:please )?(?:do )?let (?:me|us) know if",
    "if (?:that|it|this|they|those)(?: one)?(?: is| are| still| would be| works| work| suits| will| does| would)*(?: still| all)*(?: ok| okay| available| open| free| possible| fine| good| alright| right| cool| work| suit)?(?: with| for)?(?: you| everyone| him| her| them| the agent)?(?: guys| all| too)?(?= |$)",
    "(?:is|would) (?:it|that) (?:be )?(?:ok|alright|all right|fine|possible|good|cool) if (?:i|we)",
    "if possible", "if (?:at all )?possible", "if still (?:available|open|free)", "if available",
    "if you (?:have|need|got) (?:any|anything|more|other)[a-z ]*",
    "if (?:there are|there is) (?:any|anything)[a-z ]*", "if anything changes", "if plans change",
    "if something changes", "if i am (?:running )?late", "if you do not mind", "if you would not mind",
    "if you can(?= ,| ?$)", "if you could(?= ,| ?$)", "if you please", "if i may", "if i could(?= ,| ?$)", "if i can(?= ,| ?$)", "if (?:you|i|we) can not make it",
    "if that suits",
    "if need be", "if needed", "if so",
    "(?:would|will|is going to|are going to|gonna) (?:kill|murder|disown|never forgive) (?:me|us) if (?:i|we) (?:miss|missed|do not|did not)[a-z ]*",
)  # fmt: skip
"""Conditions that are only politeness."""
HARMLESS: Final = _phrases(
    "no problem(?: at all)?", "no probs?", "no worries", "can not wait", "could not be better",
    "can not complain", "why not", "not a problem", "not an issue", "no issues?", "no rush",
    "not (?:too )?bad", "no need", "not only", "no doubt", "do not mind", "would not mind", "no hurry",
    "no questions?", "do not worry", "never mind", "no later than", "nothing else", "not at all",
    "do not hesitate", "can not thank you enough", "no other questions?", "do not be late",
    "without (?:a |any |my )?(?:shifts?|lectures?|class|classes|work|meetings?|appointments?|commitments|plans)",
    "will not be late", "would not miss it", "will not miss it", "do not forget",
    "wild horses (?:could|would|will|can) not (?:keep|stop|drag) (?:me|us)(?: away)?(?: from)?",
    "nothing (?:could|would|will|can) (?:keep|stop) (?:me|us)(?: from| away)?",
)  # fmt: skip
"""Negations that refuse nothing."""
CONDITION: Final = _phrases(
    "if", "unless", "provided", "providing", "as long as", "so long as", "assuming", "supposing", "depends",
    "depending", "only when", "on condition", "subject to", "in case", "contingent", "pending", "barring",
    "(?:weather|work|traffic|time|health|boss|trains?) (?:permitting|allowing)",
    "when my \\w+ (?:lets?|let us|says?|allows?|approves?|confirms?)",
    "(?:when|after) i (?:know|hear|find out|have spoken|have talked|get my (?:shifts?|schedule|rota))",
)  # fmt: skip
"""Makes what stands beside it conditional."""
POSTPONES: Final = _phrases(
    "(?:do|please do) not (?:book|confirm|schedule|reserve|lock|put|commit|save|hold)", "not yet",
    "can not (?:confirm|commit|book|decide|say)", "while i (?:decide|think|check)",
    "(?:need|needs|have|has|got|want|wants|going|gonna|just|will|should|let me|must|would have|would need)(?: to)?(?: just| quickly| first| double)? (?:check|ask|confirm with|talk|see (?:if|whether|what|how|when)|think|look at|speak|verify|consult|discuss|double|clear|run (?:it|this|that)|find out|wait|decide)",
    "let me (?:just |quickly |first )?(?:check|see|ask|think|look|get back|confirm with|find out|double)",
    "(?:will|would|i can|can i|could i|shall|may i) (?:let you know(?! polite| harmless)|tell you|know (?:more|better|for sure|for certain)|get back|confirm (?:later|tomorrow|tonight|soon|by|as soon|once|when|after))",
    "(?:need|needs|have|has|got)(?: to)? (?:swap|arrange|sort)", "(?:need|have|got) to [a-z ]+ first$",
    "(?:need|have|got) to find (?:childcare|cover|a (?:baby ?)?sitter)", "(?:is|are|am) (?:still )?checking",
    "(?:have|has) asked (?:my [a-z]+|for [a-z ]+)$",
    "(?:might|may|could) (?:still )?(?:have|need) to (?:cancel|move|change|reschedule|skip|miss|drop|bail)",
    "give me (?:until|till|a|some|time|another)", "to (?:decide|think it over|make up my mind)", "(?:i|we) (?:have|has) not decided",
    "get back to you", "checking (?:with|my)", "pencil", "tentative", "tentatively", "on standby",
    "not (?:yet )?confirmed", "wait for me", "waiting (?:on|to hear|for)",
    "before i (?:commit|decide|confirm|book)", "as soon as i know", "once i (?:know|hear|check|confirm)",
    "until i (?:know|hear|check|confirm)", "still deciding", "undecided", "have not decided",
)  # fmt: skip
"""The lead decides later."""
_DOUBTS: Final = (
    "maybe", "perhaps", "might", "possibly", "could (?:work|possibly|maybe|potentially|be)", "potentially",
    "leaning(?: towards?)?", "not (?:[a-z0-9]+ ){0,3}(?:sure|certain|convinced|positive)(?: yet)?",
    "unsure", "may (?:work|be able|be)", "tentative", "tentatively", "probably", "most likely", "likely", "hopefully",
    "(?:i|we|it|that|@\\d+)? ?should (?:work|be|probably|do|suit|manage|fit|make)", "try to", "trying to", "fingers crossed",
    "i hope", "hoping", "for now", "i doubt", "we doubt", "doubtful", "ish", "(?:looks|seems|sounds) (?:possible|doable|feasible)", "give or take", "touch wood",
    "i think (?:i|we) (?:can|could|should|may|might)", "all being well", "in theory", "provisional", "provisionally", "or not",
    "hmm$", "(?:to be|to get) confirmed", "tbc", "tba", "[1-9][05] (?:percent )?sure",
    "(?:pretty|fairly|quite|almost|nearly|reasonably|rather) (?:sure|certain|certainly)",
)  # fmt: skip
DOUBT: Final = _phrases(*_DOUBTS)
"""The lead does not know: asked about, never picked."""
HEDGE: Final = _phrases(*_DOUBTS, "i think", "i guess", "i believe", "i suppose", "ideally")
"""Likely, not certain: held at most."""
NEGATION: Final = _phrases(
    "not", "no", "never", "none", "neither", "nor", "without", "except", "excluding", "besides",
    "unavailable", "busy", "impossible", "unable", "anything but", "any time but", "skip", "avoid",
    "conflicts?", "tied up", "out of town", "away", "out of the country", "at work", "in class",
    "(?:in|have) (?:a |an )?(?:meeting|class|shift|exam|interview|flight|appointment)", "working",
    "bad for", "bad time", "too (?:early|late|soon|far)", "hate", "worst", "fully booked", "am booked",
    "are booked", "rather skip", "pass on", "cancel", "drop", "scrap", "apart from", "other than",
    "abroad", "overseas", "travell?ing", "on (?:holiday|vacation|leave)", "in hospital", "have to work", "(?:will|would) miss",
    "out(?! of (?:the (?:two|three|four|options|times|slots)|those|these|them|two|[0-9]))",
    "(?:i|we) (?:will be|am|are|will still be) in (?!town|the (?:area|city|neighbou?rhood)|touch|for|on|at|then|love|need|luck|please)[a-z]+",
    "(?:i|we) have (?:something|plans|things|stuff|commitments)",
    "hard for", "tough", "difficult", "problem", "problematic", "awkward", "rules? out",
    "out of the question",
)  # fmt: skip
"""Refuses what its clause names."""
GENERAL_NO: Final = _patterns(
    "^(?:(?:lol|haha|um|uh|oh|well|hmm|er|actually) )*(?:no|sorry no|unfortunately(?: no| not)?|no sorry|sadly no|afraid not|i am afraid not|not really|no thanks|no thank you|negative|not any|no good|not good|no can do|nothing|no way|no chance|never|absolutely not|definitely not|hell no)(?: (?:thanks|thank you|sorry|unfortunately|sir|maam|good))*$",
    r"\b(?:none|neither|nothing)(?: of)?\b.*\b(?:work|works|these|those|them|suit|suits|times?|slots?|options?|good|fit|fits|for me|possible|convenient|dates?|days?|that)\b",
    "^none$", "^neither$", "^no to ", r"\b(?:it|that|this) (?:does|will|would|is|can) not$", "^(?:[a-z]+ ){0,2}(?:i|we) (?:actually )?can not$",
    "^(?:(?:wait|oh|sorry) ,? ?)*(?:i|we) have (?:work|class|school|a shift)(?: then)?$",
    r"\b(?:can|could|will|would|do|does|did|is|are) not (?:be able to )?(?:really |actually |quite |all )?(?:do|make|work|works|suit|fit|attend|come|manage|meet|be there|go|happen|swing|any|either|good|possible|ideal|convenient|get there|free|available|able)\b",
    r"\bnot (?:possible|available|free|able|good for|going to work|gonna work|convenient|ideal|suitable|any of|working)\b",
    r"\bunable to\b", r"\bneither\b", r"\bany of (?:those|these|them)\b.*\bnot\b",
    r"\bnot\b.*\b(?:any|either|those|these|them)\b",
    r"\b(?:all|those|these|they)(?: [a-z]+){0,3} (?:bad|too early|too late|terrible|unavailable|impossible)\b",
    r"\b(?:too early|too late)\b",
    r"\b(?:i am|we are) (?:busy|away|out of town|working|unavailable|tied up|booked)\b",
    r"^(?:that|this|it) (?:is|will|would|does|time)(?: [a-z]+)? not\b",
    r"\b(?:on shift|at work|working|busy|away|in class|out of town|travell?ing|booked|teaching|on call|(?:am|are|be|still) in [a-z]+)(?: (?:on|for|at|during))?(?: all| both| those| these)(?: of)?(?: (?:those|these|them|days|times|dates|slots|two|three|four|mornings|afternoons|evenings))*$",
    r"\bno longer (?:works?|possible|suits?|able|free|available|make)\b",
)  # fmt: skip
"""Refuses without naming a slot."""
OTHERS: Final = _phrases(
    r"(?:any|some|have(?! to\b)|got|is there|are there|do you have|anything|something|other|different|another|more|alternative|else|new|few more)(?: [a-z]+){0,3} (?:times?|slots?|days?|dates?|options?|openings?|availability|appointments?|windows?)(?: [a-z]+)?",
    "another (?:time|day|date|slot|option|one)", "different (?:time|day|date|slot|one)",
    "(?:anything|something|any ?time|any times?|times?|slots?|a bit|bit|little|one|some|earlier|later|minutes|hour) (?:later|earlier|else|sooner|different|after that|before that)",
    "(?:later|earlier|sooner) (?:time|slot|in the|on|date|day|than|one)", "reschedule", "rescheduling",
    "postpone", "rain ?check", "other (?:times|slots|days|dates|options|availability)",
    "more (?:times|options|slots|availability)",
    "(?:move|push|shift|change|switch) (?:it|this|that|the|my|our)", "when else", "what else",
)  # fmt: skip
"""Asks for other times."""
ANY: Final = _patterns(
    r"\b(?:either|any|all|both|each|whichever|whatever|anytime|any time|all of them|every)(?: [a-z@0-9]+){0,4} (?:works?|is fine|are fine|fine|ok|good|great|suits?|is good|are good|would work|will work|will do|would do|do|perfect|you (?:want|like|prefer|choose|pick)|is ok|are ok|is great|are great|possible)\b",
    r"^(?:either|any|anytime|whenever|whichever|whatever|both|all)(?: (?:one|of them|of those|of these|of the (?:two|three|four|[2-6])|time|is fine|please|slot|day|ok|thanks|@\d+))*$",
    r"\bwhichever (?:is|one is|time is|slot is)\b", r"\byou (?:choose|pick|decide)\b",
    r"\byour (?:choice|pick|call)\b", r"\bup to you\b", r"\bdoes not matter\b", r"\bdo not care\b",
    r"\bno preference\b", r"\bsurprise me\b", r"\bi am (?:flexible|easy|open)\b",
    r"\bwhenever (?:works|suits|is|you)\b", r"\bwhatever (?:works|suits|is|you)\b",
    r"\bwhat(?:ever)? is (?:best|easiest|easier) for you\b", r"\bboth work",
    r"\ball (?:of )?(?:those|these|them) work",
)  # fmt: skip
"""Leaves the choice to us."""
STRONG_YES: Final = _phrases(
    "confirm", "confirmed", "confirming", "i confirm", "book (?:it|that|me|us|this)", "book",
    "lock (?:it|that|me)(?: in)?", "see you (?:then|there|soon)", "see ya(?: then| there)?", "c you then",
    "cu then", "(?:i|we) will be there", "will be there",
    "(?:it|that|this|time|slot|one|which)(?: time| slot| one| day| date)?(?: definitely| totally| also| perfectly| just| absolutely| will| would| all| should)? ?(?:works?|suits?|fits?|does it)",
    "works?(?: great| perfectly| well| fine| perfect| just fine)? (?:for|with) (?:me|us|my)",
    "works(?: great| perfectly| well| fine| perfect)?$", "i accept", "accepted", "count (?:me|us) in",
    "i am in", "we are in", "it is a (?:date|deal|plan)", "let us do (?:it|that|this)",
    "let us go (?:with|for) (?:it|that|this)",
    "(?:i will|we will|i would like to|happy to) take (?:it|that|this|the slot|the time|the one)",
    "take it", "(?:i|we) (?:can|will) (?:make|do) (?:it|that|this)(?: work)?", "can do$", "i can be there",
    "schedule (?:it|that|me)", "reserve (?:it|that|me)", "put (?:me|us) down", "hold (?:it|that)",
    "please hold", "sign me up", "go ahead",
    "looking forward to (?:it|seeing|meeting|the (?:viewing|tour|showing|visit))", "agreed", "all set",
    "i am free(?: then)?", "am available(?: then)?", "i will come", "we will come", "i will take",
)  # fmt: skip
"""Agrees, whatever else is said."""
PLAIN_YES: Final = _patterns(
    r"^(?:oh |ah |um |well |hi |hey |hello )*(?:yes|sure|absolutely|definitely|certainly|of course|affirmative|deal|done|agreed|fine by me|fine with me|good with me|good for me|good by me|ok with me|ok by me|ok for me|gladly|yes please|please do|will do|sounds (?:good|great|perfect|fine|awesome|wonderful|ideal|lovely|excellent|amazing|like a plan|nice|ok|fab|fantastic|cool)|(?:that|this|it)(?: time| one| slot)?(?: is| would be| will be| looks| sounds| all)?(?: totally| absolutely| just| really| very| completely| so)? (?:fine|good|great|perfect|ok|ideal|awesome|wonderful|excellent|lovely|amazing|nice|cool|convenient)|y|si|oui|100)\b"
)
"""Agrees, unless it answers something else."""
WEAK_YES: Final = _patterns(
    "^(?:that is |all |very |just |so )*(?:ok|great|cool|nice|awesome|good|lovely|fine|alright|all right|perfect|perfectly|excellent|wonderful|amazing|fantastic|brilliant|super|sweet|right|fab|gotcha|got it|noted|understood|roger|bet|word|works)(?: (?:good|great|then|with me|for me|by me|cool|ok|fine|indeed|perfect|sounds good))*$"
)
"""Agrees only where nothing else is said."""
COURTESY_WORDS: Final = _words(
    "a afternoon again all and apologies appreciate appreciated awesome back be best bye care cheers day "
    "dear evening fast for forward getting good great guys have hello help hey hi i info information it "
    "kindly know letting link looking lot lovely madam many mate me message morning much nice night of "
    "offer offering one options please providing quick really regards reply response sending sir so soon "
    "sorry speak super take talk team thank thanks that the then there this time times to too understand "
    "us very weekend well wonderful xo xx you your"
)
"""Words that ask and answer nothing."""
FILLERS: Final = _words(
    "# & ( ) - @ a about absolutely actually all alright also am an and appointment are as at awesome be "
    "best better book by can choice choose confirm cool date day definitely do exactly excited fine for "
    "from go good great haha half happy harmless he hello hey hi hmm how i ideal ideally if im in is it "
    "just let like local lol love lovely make making maybe me mean meant my nice no number of oh ok on "
    "one only option or our perfect pick please polite possible prefer preferred prefers reserve right "
    "say schedule see set sharp she showing slot so sounds still super sure take thank thanks that the "
    "then there they this time to too tour um up us viewing visit want we well what will with work works "
    "works. would ya yes you your now rather right slots ones itself reach arrive grand agreeable acceptable "
    "suitable doable manageable give fab coming shall case preferably deal"
)
"""Words beside a slot's name that change nothing."""
QUESTION_WORDS: Final = _words(
    "a able about agent aim all also an and any apartment appointment are around at available be best "
    "better book by calendar can chance change come convenient could do does either fine for free good "
    "got have hello hey hi how i ideal if in instead is it just know let like love make may maybe me meet "
    "might move my need of ok on one open or perhaps place please possible prefer push room schedule see "
    "shoot showing slot so someone sorry still suit suits switch that the then there think this time to "
    "too tour try unit us view viewing visit want was we were what will with wondering work works would "
    "you your"
)
"""Words of a question about a slot."""
ASK_CUE: Final = _phrases(
    "how about", "what about", "would", "is", "are", "could", "can", "does", "do you", "any chance",
    "possible", "available", "may", "will", "may be", "let me know if", "polite",
)  # fmt: skip
"""Asks."""
REQUEST: Final = _patterns(
    r"\b(?:can|could|may|would it be possible|would you|please)(?: it be possible)?(?: i| we| you| for)?(?: please| just| kindly| maybe)? (?:do|have|get|take|book|reserve|come|schedule|put|grab|go|confirm|lock|pick|choose|secure|save|sign|set|see it|see the|view|visit|tour|hold|arrange|keep)\b"
)
"""A request to book, which is a lead's word."""
AGREES_NAMED: Final = _patterns(
    r"(?<!i )(?<!we )\b(?:works?|suits?|fits)\b",
    r"\b(?:is|are|would be|looks|sounds|will be|s)(?: also| totally| absolutely| definitely| just| really| very| all| so| probably| more than)* (?:fine|good|great|perfect|ok|best|ideal|awesome|excellent|wonderful|lovely|amazing|nice|convenient|cool|it|preferred|preferable|my (?:first )?(?:choice|preference|pick)|the one|brilliant|fantastic|alright|grand|fab|better|agreeable|acceptable|suitable|manageable|doable|lush|dandy|right)\b",
    r"@\d+(?: for me| please| then)? (?:it is|does|works?|suits?|fine|good|great|perfect|ok|please|for me|ideal|sounds|would do|will do)\b",
    r"\b(?:i|we|she|he|they) (?:can|could|will|would|am able to|are able to|shall)(?: definitely| easily| totally| probably| certainly| also| only| just| really)? (?:do|make|be there|come|attend|take|manage|see|go|swing|stop|drop|pop|meet|be available|visit|view|tour|pick|choose|like|love|prefer|reach|arrive|have)\b",
    r"\b(?:let us|let me|i will|i would|we will|we would|want|like|prefer|choose|chose|pick|picked|go with|going with|take|book|reserve|schedule|sign me up|put me|put us|count me|see you|be there|lock|confirm|confirmed|confirming|opt|select|selected|vote|down for|in for|there at|meet|happy with|good with|fine with|ok with|good for|up for|works|grab|yes|sure|definitely|absolutely|perfect|great|ok|give me|add me|add us|happy to|looking forward to|am coming|are coming|coming|need the|decided on|settled on|has to be|have to be|must be)\b",
    r"@\d+(?: is)? my only\b",
    r"@\d+ is when (?:i|we) (?:can|could|am free|are free|am off|are off|am available|have time)\b",
    r"\bmy (?:first )?(?:choice|pick|preference|vote) (?:is|would be)\b",
    r"\b(?:free|available|open|good|around)(?: on| at| for)?(?: the)? @",
    r"@\d+(?: i am| we are| i will be) (?:free|available|open|good|around)",
)  # fmt: skip
"""Agrees to what its clause names."""
AVAILABLE: Final = _phrases(
    "free", "available", "open", "around", "off", "home", "in town", "in the area",
)  # fmt: skip
"""Says when the lead is free."""
COMPARES: Final = _phrases(
    "better", "best", "prefer", "preferred", "preferably", "rather", "ideally",
)  # fmt: skip
"""Prefers."""
NOT_ABOUT_COMING: Final = _phrases(
    "lease", "rent", "deposit", "pet", "pets", "dog", "dogs", "cat", "cats", "parking", "laundry", "smoke",
    "smoking", "work until", "works until", "moved", "move in", "moving", "yesterday", "last week",
    "last month", "ago", "saw", "called", "call me", "text me", "written", "wrote", "sent", "born", "since",
    "people", "months?", "years?", "bedrooms?", "school", "roommates?", "roommate", "salary", "income",
    "budget", "job", "leave work", "off work", "get off", "finish work", "(?:free|available|vacant|open|starting) from",
    "(?:call|ring|text|email|mail|message|phone|write to|reply to|answer|inform|update|tell) (?:you|them|him|her|my)",
    "(?:talk|speak|chat)", "let (?:me|us) know (?:by|before|on)",
    "thanks? (?:you )?for (?:offering|suggesting|proposing|having|holding)",
    "(?:i|we) (?:fast|pray|worship|observe|volunteer|study|train|teach|commute|travel)", "until", "i work", "we work",
    "i am working", "my shift", "class", "kids", "wife works", "husband works",
)  # fmt: skip
"""Times that are not about a visit."""
CUT: Final = _patterns(
    r"(?:^| )(,|;|-+|\(|\)|but|however|although|though|because|since|so)(?= |$)",
    r"(?<!soon)(?:^| )(as)(?= (?:my|our)\b)",
    r"(?:^| )(as)(?= @\d+ (?:@\d+ )*(?:is|are|i|we|does|will|my)\b)",
    r"(?:^| )or(?= (?:is|are|do|does|can|could|would|will|what|how|something|anything)\b)",
    r"(?<=@\d) (?=(?:yes|no) to (?:the )?@)",
    r"(?:^| )(and)(?= (?:i|we|not|it|that|will|can|no|please|my|see|is|do|what|how)\b)",
)  # fmt: skip
"""Where a sentence falls into clauses."""
ANSWER_WORD: Final = _patterns(
    "^(?P<word>(?:no|yes|ok|sure|great|perfect|awesome|cool|hi|hello|hey|sorry|thanks|thank you|sounds good|sounds great|absolutely|definitely|alright|fine|good)) (?=(?:@|the @|i |we |let|that |it |can |could |but |not |how |what |is |are |would |see |please |thanks|yes |ok |to @|on @|for @|tour|my |sure))(?P<rest>.+)$"
)
"""A word of answer that is a clause of its own."""
SEEKS: Final = _phrases(
    "anything", "something", "any (?:times?|slots?|openings?|availability)", "do you have", "have you got",
)  # fmt: skip
"""Looks for times beyond the offer."""
ASK_START: Final = _patterns(
    r"^(?:can|could|is|are|do|does|would|will|what|how|when|where|may|who|which|i (?:have|need|want|would like|am wondering|was wondering)|only|please|you|my|must|it has to|the)\b"
)
"""A clause after "but" that sets a condition."""
COUNTS_PEOPLE: Final = _patterns(
    r"\b(?:we are|i am|there are|there is|there will be|it is|it is for|of|we have|i have|us|about|only|just|family of|party of|have|(?<!down )(?<!good )(?<!go )(?<!in )for) @\d"
)
"""A number that counts, and names no slot."""
ASK_START_NAMED: Final = _patterns(
    r"^(?:is|are|would|does|do|how about|what about|any chance|will|was)\b(?! (?:be )?(?:there|like))"
)
"""Asks about what it names."""
JUST_NAMING: Final = _words(
    "a about and at date day for in is it of on one option or please polite slot the then this time to"
)
"""Words of a clause that only names a slot."""
ASK_ONLY: Final = _patterns(
    r"^(?:can|could|would|will|is|are|do|does|did|what|when|where|which|who|how|why|may|has|have|was|were|any)\b(?! be there| do$| do it)"
)
"""Begins like a question."""
CONFIRM_SOMETHING: Final = _patterns(
    r"\bconfirm(?:ed|ing)? (?:the |your |that |whether |what |which |where |how |when |who |its |their |me |us )(?!(?:appointment|slot|time|viewing|showing|tour|visit|booking|hold|date|one|spot|place)?(?: |$)(?:$|for|on|at|please|thanks|then|is|works))"
)
"""Asks us to confirm something else than a slot."""

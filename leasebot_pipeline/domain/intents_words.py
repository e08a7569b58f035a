"""Word tables of the reader: how leads spell, and which words tell a language. Data only."""

from __future__ import annotations

from typing import Final

_SPELLING_TABLE: Final = """
available = avail avaliable availible avalable avaiable availble avilable
interested = intrested interrested intersted interseted
schedule = shedule schedual scheduel schdule scedule
tomorrow = tmrw tmr tomorow tommorow tommorrow 2moro
view = veiw
viewing = veiwing viewng vewing
please = pls plz plese
thanks = thx tks thnx thanx tysm ty
apartment = apt appartment apartement aparment appt
monday = mon
tuesday = tue tues
wednesday = wed wensday wendsday
thursday = thu thur thurs
friday = fri
saturday = sat
sunday = sun
reschedule = resched
walkthrough = walkthru
through = thru
ok = okay okey k
yes = ya yea yeah yep yup
you = u
your = ur
are = r
do not = dont
does not = doesnt
did not = didnt
is not = isnt
are not = arent
was not = wasnt
can not = cant cannot can't
could not = couldnt
would not = wouldnt
will not = wont won't
have not = havent
has not = hasnt
shall not = shan't
i am = im i'm
i have = ive
what is = whats
where is = wheres
how is = hows
that is = thats
want to = wanna
going to = gonna
let me = lemme
let us = lets let's
give me = gimme
you all = y'all
"""

SPELLINGS: Final[dict[str, str]] = {
    variant: spelling.strip()
    for spelling, _, variants in (line.partition("=") for line in _SPELLING_TABLE.strip().splitlines())
    for variant in variants.split()
}
"""Variant -> the spelling the rules use."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LANGUAGE_WORDS: Final[dict[str, frozenset[str]]] = {
    "en": _words(
        "the a an is are am i we you it this that to of for and or in on at my your me can could would will do does "
        "have has how what when where yes no not please thanks thank hi hello still available if with be there"
    ),
    "es": _words(
        "el la los las un una es esta este estoy de del que para por con mi su puedo quiero hola gracias cuando "
        "cuanto disponible donde todavia si se y en apartamento departamento habitacion visita buenas buenos ver"
    ),
    "fr": _words(
        "le la les un une est je vous nous de du des que pour avec mon votre bonjour merci quand combien disponible "
        "toujours encore appartement visiter chambre et en au aux oui suis interesse puis salut pouvez"
    ),
    "de": _words(
        "der die das ein eine ist ich sie wir und oder zu mit mein ihr hallo danke wann wie viel noch wohnung zimmer "
        "verfuegbar verfugbar besichtigen besichtigung frei bitte guten tag moechte mochte kann ja nicht"
    ),
    "pt": _words(
        "o os um uma esta estou de do da que para com meu seu posso quero ola obrigado obrigada quando quanto "
        "disponivel ainda apartamento quarto visitar e em sim nao bom dia boa voce"
    ),
    "it": _words(
        "il lo la gli un una e sono di del che per con mio suo posso vorrei ciao grazie quando quanto disponibile "
        "ancora appartamento stanza visitare si buongiorno"
    ),
}
"""ISO 639-1 code -> frequent words, without accents."""

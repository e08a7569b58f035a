/* The conversation page: entries arrive after the page, each carries its data as an element property,
   and a reply is posted without leaving the page. */
(function () {
  const root = document.querySelector("[data-testid='conversation']");
  if (!root) return;
  const list = root.querySelector("ul");
  const loading = root.querySelector("[data-loading]");
  const alert = root.querySelector("[role='alert']");
  const form = root.querySelector("form[data-composer]");
  const box = form.querySelector("textarea");
  const button = form.querySelector("button");

  function element(name, className, attributes) {
    const made = document.createElement(name);
    if (className) made.className = className;
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    return made;
  }

  function show(message) {
    const item = element("li", message.isSender ? "text-right" : message.system ? "text-center" : "text-left", {
      "x-data": "messageItem(message)",
    });
    const look = message.system ? "text-gray-500 text-xs" : message.isSender ? "bg-teal text-white" : "bg-gray-100";
    const bubble = element("div", "inline-block px-4 py-2 rounded-lg " + look);
    const content = element("div", "whitespace-pre-line", { "x-text": "message.content" });
    content.textContent = message.content;
    bubble.append(content);
    item.append(bubble);
    if (!message.system) {
      const time = element("time", "block text-xs", {
        datetime: message.created_at,
        "x-text": "new Date(message.created_at).toLocaleTimeString()",
      });
      time.textContent = new Date(message.created_at).toLocaleTimeString();
      item.append(time);
    }
    item._x_dataStack = [{ message: message }];
    list.append(item);
  }

  function fail(text) {
    alert.textContent = text;
    alert.hidden = false;
  }

  fetch(root.dataset.source, { headers: { Accept: "application/json" } })
    .then(function (response) {
      if (!response.ok) throw new Error(String(response.status));
      return response.json();
    })
    .then(function (entries) {
      entries.forEach(show);
      loading.remove();
      root.dataset.state = "ready";
    })
    .catch(function () {
      fail("The conversation could not be loaded.");
      root.dataset.state = "failed";
    });

  form.addEventListener("submit", function (event) {
    event.preventDefault();
    const text = box.value.trim();
    if (!text || button.disabled) return;
    button.disabled = true;
    alert.hidden = true;
    fetch(root.dataset.source, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ body: text }),
    })
      .then(function (response) {
        if (!response.ok) throw new Error(String(response.status));
        return response.json();
      })
      .then(function (message) {
        show(message);
        box.value = "";
      })
      .catch(function () {
        fail("Your reply could not be sent. Please try again.");
      })
      .finally(function () {
        button.disabled = false;
      });
  });
})();

/** `/chat-example`, in development only: a shop's page with the chat. `?data-…=…` sets attributes of the script. */
import "../kit/page.css";

const script = document.createElement("script");
const query = new URLSearchParams(location.search);
script.src = "/chat.js";
script.async = true;
document.documentElement.lang = query.get("lang") ?? "en";
for (const [name, value] of query) if (name.startsWith("data-")) script.setAttribute(name, value);
document.body.append(script);

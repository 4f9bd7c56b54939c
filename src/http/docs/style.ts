/** The style sheet of the API page, for light and dark mode. */
export const style = `
:root{color-scheme:light dark;--bg:light-dark(#fbfbfa,#15171a);--card:light-dark(#fff,#1c1f24);--line:light-dark(#e4e4e0,#2e333a);
--ink:light-dark(#1d2024,#e6e8eb);--soft:light-dark(#5d656e,#9aa3ad);--link:light-dark(#0b5cad,#7cb7f2);--code:light-dark(#f1f1ee,#262a31);
--get:light-dark(#0a6b3d,#63d29b);--post:light-dark(#8a4b00,#f0b35f)}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:1rem}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,sans-serif;display:grid;grid-template-columns:17rem minmax(0,1fr)}
a{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.5rem 1rem;border-right:1px solid var(--line);font-size:.875rem}
nav h2{margin:1.25rem 0 .25rem;font-size:.75rem;text-transform:uppercase;letter-spacing:.06em;color:var(--soft)}
nav ul{list-style:none;margin:0;padding:0}
nav li a{display:flex;gap:.5rem;align-items:baseline;padding:.15rem 0;color:inherit;overflow-wrap:anywhere}
main{max-width:60rem;padding:2rem clamp(1rem,4vw,3rem) 6rem}
h1{margin:0;font-size:1.75rem;line-height:1.2}
h1 small{font-size:.875rem;font-weight:400;color:var(--soft)}
main h2{margin:3rem 0 .25rem;font-size:1.25rem}
h4{margin:1.25rem 0 .35rem;font-size:.8125rem;text-transform:uppercase;letter-spacing:.05em;color:var(--soft)}
p{margin:.5rem 0}
.soft{color:var(--soft)}
code,pre{font:.875em/1.5 ui-monospace,monospace}
code{background:var(--code);border-radius:.25rem;padding:.1em .3em;overflow-wrap:anywhere}
pre{background:var(--code);border-radius:.5rem;padding:.85rem 1rem;overflow:auto}
details{margin:.75rem 0;border:1px solid var(--line);border-radius:.5rem;background:var(--card)}
summary{cursor:pointer;padding:.7rem 1rem;display:flex;flex-wrap:wrap;gap:.35rem .75rem;align-items:baseline}
summary code{background:none;padding:0;font-weight:600}
details>div{padding:0 1rem 1rem;border-top:1px solid var(--line)}
details:target{border-color:var(--link)}
b.verb{flex:none;font:700 .75rem/1 ui-monospace,monospace;min-width:3rem}
.get{color:var(--get)}.post{color:var(--post)}
table{width:100%;border-collapse:collapse;font-size:.9rem}
td,th{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-top:1px solid var(--line)}
th{font-weight:600;white-space:nowrap}
.wide{overflow-x:auto}
.must{color:var(--post);font-size:.75rem}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;border-right:0;border-bottom:1px solid var(--line)}}
`;

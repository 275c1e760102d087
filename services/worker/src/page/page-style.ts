import { cssShade, INK, PAPER, TEXT_COLOURS } from './preset-tints.ts';

const SPEAKERS = ['blue', 'orange', 'green', 'purple', 'pink', 'brown'];

const speakerRules = SPEAKERS.map((name, index) => {
  const shade = TEXT_COLOURS[name];
  return shade ? `.speaker-${index}{--voice:${cssShade(shade)}}` : '';
}).join('\n');

/** The page's whole style. `light-dark()` follows the reader's system; paper is always light. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--ink:${cssShade(INK)};--paper:${cssShade(PAPER)};
--quiet:light-dark(#68645b,#aaa69c);--line:light-dark(#e4dfd4,#3b3934);--card:light-dark(#f8f4ec,#252421);
--accent:light-dark(#1b5c92,#84bcec);--serif:ui-serif,"Iowan Old Style",Palatino,Georgia,serif}
*{box-sizing:border-box}
html{scroll-padding-top:1.5rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.65 system-ui,"Segoe UI",Roboto,sans-serif;overflow-wrap:break-word}
a{color:var(--accent);text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:.2rem}
main:focus{outline:none}
img,video{max-width:100%;height:auto;border-radius:.5rem}
.skip{position:absolute;left:1rem;top:-5rem;background:var(--ink);color:var(--paper);padding:.6rem 1rem;border-radius:.4rem;z-index:2}
.skip:focus{top:1rem}
.top{border-bottom:1px solid var(--line);background:var(--card)}
.cover{display:block;width:100%;height:clamp(8rem,24vw,16rem);object-fit:cover;border-radius:0}
.top-text{max-width:74rem;margin:auto;padding:clamp(1.75rem,5vw,3.25rem) clamp(1.1rem,4vw,2.5rem)}
.icon{display:block;font-size:3rem;line-height:1;margin-bottom:.8rem}
.cover+.top-text .icon{margin-top:-4.2rem;font-size:4rem}
h1,h2,h3,h4,h5,h6{line-height:1.25;text-wrap:balance}
h1{font:600 clamp(1.9rem,5vw,2.9rem)/1.15 var(--serif);margin:0;letter-spacing:-.01em}
h2{font:600 1.55rem/1.25 var(--serif);margin:0 0 1rem}
h3{font-size:1.15rem;margin:1.8rem 0 .7rem}
h4,h5,h6{font-size:1rem;margin:1.4rem 0 .5rem}
.facts{display:flex;flex-wrap:wrap;gap:.4rem 2.2rem;margin:1.3rem 0 0}
.facts dt,.eyebrow{font-size:.8rem;font-weight:600;color:var(--quiet);margin:0}
.facts dd{margin:0}
.layout{max-width:74rem;margin:auto;padding:clamp(1.75rem,4vw,3rem) clamp(1.1rem,4vw,2.5rem)}
.side{display:none}
.contents ul{list-style:none;margin:.6rem 0 0;padding:0}
.contents a{display:block;padding:.3rem 0;color:inherit;text-decoration:none;line-height:1.35}
.contents a:hover{color:var(--accent);text-decoration:underline}
main .contents{border:1px solid var(--line);border-radius:.6rem;padding:.3rem 1.1rem .8rem;margin:1.4rem 0}
main{min-width:0;container-type:inline-size}
section+section,div+section{margin-top:3.2rem}
p,ul,ol,dl,blockquote,pre,.table,.callout,details,figure{margin:0 0 1.05rem}
main p,main li,main blockquote{max-width:68ch}
li+li{margin-top:.35rem}
ul,ol{padding-left:1.6rem}
ul.contains-task-list{list-style:none;padding-left:.2rem}
.task-list-item{display:flex;gap:.6rem;align-items:baseline}
.task-list-item input{flex:none;width:1.05em;height:1.05em;margin:0;transform:translateY(.15em)}
blockquote{padding-left:1.1rem;border-left:3px solid var(--line);color:var(--quiet)}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--card);border-radius:.3rem;padding:.12em .35em}
pre{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.1rem;overflow-x:auto}
pre code{padding:0;background:none}
hr{border:0;border-top:1px solid var(--line);margin:2.2rem 0}
.table{overflow-x:auto}
table{border-collapse:collapse;min-width:min(100%,24rem)}
th,td{text-align:left;vertical-align:top;padding:.55rem 1.1rem .55rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;border-bottom:2px solid var(--ink)}
[align=center]{text-align:center}[align=right]{text-align:right}
.callout{display:flex;gap:.9rem;background:var(--card);border-radius:.7rem;padding:1rem 1.2rem}
.callout-icon{font-size:1.3rem;line-height:1.35}
.callout-text{min-width:0;flex:1}
.callout-text>:last-child,.toggle-text>:last-child,.said>:last-child,.study-text>:last-child{margin-bottom:0}
details{border:1px solid var(--line);border-radius:.7rem}
summary{cursor:pointer;padding:.8rem 1.2rem;font-weight:600}
summary>*{display:inline-block;margin:0}
summary>[class]{margin:0 0 0 .25rem}
details[open]>summary{border-bottom:1px solid var(--line)}
.toggle-text{padding:1.1rem 1.2rem}
.columns{display:grid;gap:0 2.2rem}
.study{margin:0 0 1.6rem}
.study-text{border:1px solid var(--line);border-radius:.9rem;padding:clamp(1.1rem,3vw,1.8rem);font:1.15rem/1.75 var(--serif)}
.study-text .eyebrow{font-family:system-ui,sans-serif;margin-bottom:.9rem}
.player{position:sticky;top:0;z-index:1;background:var(--card);border:1px solid var(--line);border-radius:.9rem;padding:1rem 1.1rem;margin-bottom:1rem}
.player audio{display:block;width:100%;margin-top:.6rem}
.duration{float:right;font-weight:400;font-variant-numeric:tabular-nums}
.study{display:flex;flex-direction:column-reverse}
.cast{list-style:none;padding:0;margin:.8rem 0 0;font-size:.9rem;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}
.cast li{margin:0;display:flex;gap:.5rem}
.voice,.quiet,footer{color:var(--quiet)}
${speakerRules}
.speaker{color:var(--voice);font:600 .95rem/1.75 system-ui,sans-serif}
.turn{border-left:3px solid var(--voice,var(--line));padding-left:1rem}
.turn+*{margin-top:1rem}.callout+.turn{margin-top:1rem}
.turn p{margin:0 0 .3rem}
.said{grid-column:2}
.media audio,.media video{width:100%}
figcaption{font-size:.9rem}
footer{max-width:74rem;margin:auto;padding:0 clamp(1.1rem,4vw,2.5rem) 2.5rem;font-size:.875rem}
@container (min-width:34rem){
.columns{grid-template-columns:repeat(auto-fit,minmax(12rem,1fr))}
.turn{display:grid;grid-template-columns:7rem 1fr;gap:0 1rem}
}
@container (min-width:44rem){
.study{display:grid;grid-template-columns:minmax(0,1fr) 16.5rem;gap:1.6rem;align-items:start}
.player{top:1.5rem;margin:0}
.cast{display:block}
.cast li{justify-content:space-between;padding:.15rem 0}
}
@media (min-width:64rem){
.layout:has(.side){display:grid;grid-template-columns:14.5rem minmax(0,1fr);gap:3.5rem}
.side{display:block;position:sticky;top:1.5rem;align-self:start;max-height:calc(100vh - 3rem);overflow-y:auto;font-size:.9rem}
}
@media print{
:root{color-scheme:light}
body{font-size:11pt}
.side,.skip,audio,video,main .contents{display:none}
.top{background:none}.top-text,.layout{padding-inline:0}
.study{display:block}.player{position:static;border:0;padding:0;background:none}.player .eyebrow{display:none}
h2,h3,summary{break-after:avoid}
.turn,.callout,tr,li{break-inside:avoid}
a{color:inherit}
}
`;

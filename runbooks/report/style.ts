/** The report's one style sheet: light or dark by the reader's setting, black on white on paper. */
import { lineColours } from '../../base/drawing/lines.js';
import { figureStyle } from '../../base/drawing/style.js';

const light = `--page:#f6f5f1;--card:#fff;--ink:#1b1f24;--quiet:#5f6873;--hair:#e2e0d8;--grid:#ecebe5;
--good:#0b6b44;--good-soft:#dcefe5;--bad:#b42318;--bad-soft:#fbe4e1;--unsure:#8a5a00;--unsure-soft:#f8ebcf;
--fault:#d97706;--fault-soft:rgba(217,119,6,.12);--theory:#6f84a8;--track:#86847b;--alert:#243b6b;
--link:#1f55a8;
${lineColours.light};--code:#f2f0ea`;
const dark = `--page:#14171b;--card:#1c2025;--ink:#e9e7e2;--quiet:#9aa3ad;--hair:#31363d;--grid:#292e34;
--good:#5cc795;--good-soft:#163327;--bad:#ff8a7a;--bad-soft:#44201c;--unsure:#e9b85a;--unsure-soft:#3d3016;
--fault:#f0a23a;--fault-soft:rgba(240,162,58,.13);--theory:#8298bf;--track:#858c95;--alert:#a9c2f5;
--link:#8db8f7;
${lineColours.dark};--code:#262b31`;

export const style = `:root{color-scheme:light dark;${light}}
@media(prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:20px 20px 60px}
a{color:var(--link);text-decoration-thickness:1px;text-underline-offset:2px}
h1{font-size:15px;font-weight:600;margin:0;color:var(--quiet)}
h2{font-size:21px;line-height:1.25;margin:0}h3{font-size:14px;margin:22px 0 8px}
h4,h5,h6{font-size:14px;margin:14px 0 4px}
p{margin:6px 0}.quiet,.facts{color:var(--quiet)}.yes{color:var(--good);font-weight:600;white-space:nowrap}
.no{color:var(--bad);font-weight:600}.labels{display:block;color:var(--quiet);font-size:13px;font-weight:400;
overflow-wrap:anywhere}
.bound{color:var(--quiet);font-weight:400}
.card{background:var(--card);border:1px solid var(--hair);border-radius:8px;padding:20px 24px;margin:16px 0}
.verdict{border-left:8px solid var(--unsure);padding:22px 24px}
.verdict.pass{border-left-color:var(--good)}.verdict.fail,.verdict.aborted{border-left-color:var(--bad)}
.verdict .big{font-size:31px;line-height:1.18;font-weight:650;margin:10px 0 6px;letter-spacing:-.01em;
text-wrap:balance}
.verdict .sum{font-size:16px;max-width:64em}.verdict ul{margin:10px 0 0;padding-left:20px}
.verdict .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(124px,1fr));gap:14px 20px;
margin:18px 0 0;padding:16px 0 0;border-top:1px solid var(--hair)}
.verdict dt{color:var(--quiet);font-size:13px}.verdict dd{margin:0;font-size:19px;font-weight:600}
.verdict dd small{font-size:13px;font-weight:400;color:var(--quiet);display:block}
.chip{display:inline-block;border-radius:4px;padding:2px 9px;font-weight:700;font-size:13px;
letter-spacing:.03em;background:var(--unsure-soft);color:var(--unsure);white-space:nowrap}
.chip.pass{background:var(--good-soft);color:var(--good)}.chip.fail,.chip.aborted{background:var(--bad-soft);
color:var(--bad)}
header{display:flex;gap:12px;align-items:baseline;justify-content:space-between;flex-wrap:wrap}
.scenario>details{margin:0}.scenario>details>summary{display:block;position:relative;padding-left:22px;
color:var(--ink)}.scenario .facts{font-weight:400}
.scenario>details>summary::before{content:"▸";position:absolute;left:0;top:3px;color:var(--link)}
.scenario>details[open]>summary::before{content:"▾"}
.scenario>details>div{scroll-margin-top:120px}
.scenario .prose{max-width:70em}.reasons{color:var(--bad);font-weight:600;padding-left:20px}
.two{display:grid;grid-template-columns:1fr 1fr;gap:0 36px}.claim{margin:0 0 4px}.broke{margin:4px 0}
.notes,.checks{list-style:none;padding:0;margin:8px 0}.checks li,.notes li{margin:4px 0}
.checks .labels{padding-left:20px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:6px 12px 6px 0;border-top:1px solid var(--hair);text-align:left;vertical-align:top}
thead th{border-top:0;color:var(--quiet);font-weight:500;font-size:13px;vertical-align:bottom}
tbody th{font-weight:600}.number{text-align:right;white-space:nowrap}td:last-child,
th:last-child{padding-right:0}
.detection td{white-space:nowrap}.detection .labels{max-width:270px;white-space:normal}
.detection .note td{border-top:0;padding-top:0;white-space:normal;color:var(--quiet);font-size:13px}
.detection th[rowspan]{min-width:110px;max-width:150px;white-space:normal}
.detection tr.failed{background:linear-gradient(var(--bad-soft),var(--bad-soft))}
.bullet svg,.arms svg,.key-line svg{display:inline-block;vertical-align:middle}
thead .bullet svg text{font-size:11px;fill:var(--quiet)}
.key-line{font-size:13px;color:var(--quiet)}.key-line svg{margin-left:8px}
.key-line svg:first-child{margin-left:0}
rect.allowed{fill:var(--track)}rect.theory{fill:var(--theory)}.due{stroke:var(--ink);stroke-width:2}
circle.received{fill:none;stroke:var(--ink);stroke-width:2.5}
circle.late{stroke:var(--bad)}rect.during{fill:var(--fault)}rect.after{fill:var(--theory)}.one{stroke:var(--ink);
stroke-width:1.5}
.burned{fill:var(--fault)}.left{fill:var(--track)}
figure{margin:14px 0 6px}
${figureStyle}
.fault rect{fill:var(--fault-soft)}.fault rect.put{opacity:.45}
.fault line{stroke:var(--fault);stroke-width:1}.fault line.put{stroke-dasharray:3 3}
.band line{stroke:var(--hair)}.band text{fill:var(--quiet);font-size:11px}
.lane rect{fill:var(--alert)}.lane text{font-weight:600;font-size:11.5px;paint-order:stroke;stroke:var(--card);
stroke-width:3px}
.lane.ticket text{font-weight:400}.lane.allowed rect{opacity:.55}.lane.allowed text{font-weight:400;
fill:var(--quiet)}
.lane.late rect,.lane.unexpected rect{fill:var(--bad)}.lane.late text,.lane.unexpected text{fill:var(--bad)}
.reach{stroke:var(--quiet);stroke-dasharray:1 3}.deadline{stroke:var(--ink);stroke-width:2}
line.received{stroke:var(--alert);stroke-dasharray:2 3;opacity:.75}
line.received.late,line.received.unexpected{stroke:var(--bad)}
svg.figure.narrow{display:none}
details{margin:8px 0}summary{cursor:pointer;color:var(--link)}details[open]>summary{margin-bottom:8px}
.card>details>summary{font-weight:600}.runbook{border-top:1px solid var(--hair);margin:0;padding:10px 0}
pre{background:var(--code);border-radius:6px;padding:10px 12px;overflow-x:auto;font-size:13px;line-height:1.45}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.92em;overflow-wrap:anywhere}
pre code{overflow-wrap:normal}
.document h1{font-size:26px;line-height:1.2;font-weight:650;color:var(--ink);margin:4px 0 10px}
.document h2{font-size:18px;margin:28px 0 6px}
.document h3{margin:18px 0 6px}
pre[data-language=promql]{white-space:pre-wrap}pre[data-language=promql] code{overflow-wrap:anywhere}
:not(pre)>code{background:var(--code);border-radius:3px;padding:1px 4px}
blockquote{margin:8px 0;padding-left:14px;border-left:3px solid var(--hair);color:var(--quiet)}
.task{list-style:none;margin-left:-20px}dl.how{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;
margin:8px 0}dl.how dt{color:var(--quiet)}dl.how dd{margin:0;overflow-wrap:anywhere}
.events td:first-child{white-space:nowrap}.events tr.minor{color:var(--quiet)}
.contents{position:sticky;top:0;z-index:3;display:flex;gap:4px 18px;overflow-x:auto;white-space:nowrap;font-size:14px;
padding:9px 24px;margin:16px 0;background:var(--card);border:1px solid var(--hair);border-radius:8px}
html{scroll-padding-top:60px}.contents a{text-decoration:none}.contents a:hover{text-decoration:underline}
footer{color:var(--quiet);font-size:13px;margin-top:24px}
@media(max-width:700px){main{padding:10px 10px 40px}.card{padding:16px 14px;border-radius:6px}
.two{grid-template-columns:1fr}.verdict .big{font-size:24px}
svg.figure.wide{display:none}svg.figure.narrow{display:block}dl.how{grid-template-columns:1fr;gap:0}
dl.how dd{margin-bottom:8px}
.verdict .figures{grid-template-columns:1fr 1fr}
.detection,.detection tbody,.arms,.arms tbody{display:block}.detection thead,.arms thead{display:none}
.detection tr{display:grid;grid-template-columns:1fr 1fr;gap:0 12px;padding:8px 0;
border-top:1px solid var(--hair)}.detection td,.detection th,.arms td,.arms th{display:block;border:0;
padding:2px 0}
.detection th[rowspan],.detection .alert{grid-column:1/-1;max-width:none}.detection .severity{display:none}
.detection .alert{white-space:normal;overflow-wrap:anywhere}
.detection .bullet,.detection .judged{order:-1}.detection .judged{text-align:right}.detection .alert{order:-2}
.detection th[rowspan]{order:-3}.detection .note{display:block;border:0;padding:0 0 8px}
[data-name]{text-align:left}[data-name]::before{content:attr(data-name) " ";color:var(--quiet)}
.arms tr{display:block;padding:8px 0;border-top:1px solid var(--hair)}.arms td.number{text-align:left}
.arms td::before{content:attr(data-name) " "}}
@media(max-width:700px){#coverage thead{display:none}#coverage tr{display:flex;flex-wrap:wrap;gap:0 12px;padding:6px 0;
border-top:1px solid var(--hair)}#coverage td,#coverage th{border:0;padding:0}#coverage th{flex-basis:100%}}
@page{size:landscape;margin:10mm}
@media print{:root{${light};--page:#fff;--card:#fff}body{font-size:11pt}main{max-width:none;padding:0;zoom:.9}
.card{border:0;border-top:1px solid var(--hair);border-radius:0;padding:12px 0;break-inside:auto}
.verdict{padding-left:14px}
figure,table,tr,.verdict{break-inside:avoid}h2,h3{break-after:avoid}
::details-content{content-visibility:visible}.scenario>details>summary{padding-left:0}
.scenario>details>summary::before{content:none!important}
.contents{display:none}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
`.replaceAll('\n', '');

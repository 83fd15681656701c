/** The style of figures; the page defines --ink, --quiet, --card, --hair, --grid and lineColours. */
import { lineStyle } from './lines.js';

export const figureStyle = `${lineStyle}
svg.figure{width:100%;height:auto;display:block;font-family:inherit;touch-action:pan-y}
svg.figure text{fill:var(--ink);font-size:12px}
svg.figure .title{font-weight:600;font-size:13px;paint-order:stroke;stroke:var(--card);stroke-width:4px}
svg.figure .unit,svg.figure .tick{fill:var(--quiet);font-weight:400;font-size:12px}svg.figure .tick{font-size:11px}
.figure .grid{stroke:var(--grid)}.figure .axis{stroke:var(--quiet)}
.figure .threshold{stroke:var(--ink);stroke-dasharray:1 3;stroke-width:1.5}
.figure .name,.figure .threshold-name{paint-order:stroke;stroke:var(--card);stroke-width:3px}
svg.figure .threshold-name{font-size:11px}.pointer{stroke:var(--ink)}
.with-figure,figure{position:relative}
.said-of-figure{position:absolute;z-index:2;pointer-events:none;background:var(--card);border:1px solid var(--quiet);
border-radius:6px;padding:6px 10px;font-size:13px;line-height:1.5;white-space:nowrap;max-width:100%}
.said-of-figure[hidden]{display:none}.said-of-figure span{display:block;overflow:hidden;text-overflow:ellipsis}
.said-of-figure svg{width:20px;height:8px;margin-right:6px}
@media print{.said-of-figure,.pointer{display:none}}
`.replaceAll('\n', '');

/** What draws a chart as SVG text, fetched when somebody saves one. */

import { use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([SVGRenderer]);

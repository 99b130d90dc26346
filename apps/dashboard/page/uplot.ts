/** uPlot and its style sheet, as a part of the page that is loaded when a plot is shown. */

import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export { UPlot };

/** The public face of alerts/: the library as rules, its names, and which cause hides what. */
export {
  alertNames,
  type LibraryAlert,
  type Severity,
  defaultRunbookBase,
} from './library/names.js';
export { libraryGroups, type LibraryOptions } from './library/library.js';
export { type Inhibition, inhibitions } from './library/inhibition.js';

/** Public interface of alerts/: the library's rules and names, and which alert inhibits which. */
export {
  alertNames,
  type LibraryAlert,
  type Severity,
  defaultRunbookBase,
} from './library/names.js';
export { libraryGroups, type LibraryOptions } from './library/library.js';
export { type Inhibition, inhibitions } from './library/inhibition.js';

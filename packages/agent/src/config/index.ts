export { expandErbEnv } from './erb.js';
export { fileIssue, parseConfigText } from './parse.js';
export { type FileText, readConfigFile, readConfigFiles, readConfigText } from './read.js';
export { environmentSurprises } from './environmentSurprises.js';
export { serviceFileSurprises } from './ignoredFiles.js';
export { schemaFile } from './schemaFile.js';
export { listServiceFiles } from './serviceFiles.js';
export {
  ConfigError,
  type ConfigIssue,
  formatIssue,
  formatPath,
  type ParsedFile,
  type Position,
} from './types.js';
export { yamlSurprises } from './surprises.js';
export { closest } from './suggest.js';
export { validateConfig } from './validate.js';

/** The one reading of trainer packages. */
export * from './read-package.ts';
export { PACKAGE_CHECKS, packageStageOf } from './check-stages.ts';
export { checkSecrets } from './secret-check.ts';
export { packTrainer } from './pack-trainer.ts';

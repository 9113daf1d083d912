import { evaluate, predict } from './evaluate.ts';
import { exportOnnx } from './export-onnx.ts';
import { train } from './train.ts';
import { defineTrainer } from './trainer_sdk/index.ts';

const program = defineTrainer({
  manifest: new URL('../trainer.yaml', import.meta.url),
  versions: { 'plain-nets': '1.0.0' },
  train,
  evaluate,
  predict,
  exports: { onnx: exportOnnx },
});

await program.main();

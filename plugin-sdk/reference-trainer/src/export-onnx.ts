import { loadNet } from './net-files.ts';
import { softmax } from './network.ts';
import { readModel, writeOnnx } from './onnx-model.ts';
import { preprocessOps, toInput } from './preprocess.ts';
import {
  compareTensors,
  indexOfMax,
  Random,
  rank,
  toleranceOf,
  writeExportBundle,
  type Picture,
  type Run,
} from './trainer_sdk/index.ts';

const PICTURES = 16;

/** Exports the checkpoint and compares the file, read back, with the checkpoint. */
export async function exportOnnx(run: Run, folder: string): Promise<void> {
  const { net, labels, origin } = loadNet(run.source());
  const { side, classes, model } = net.shape;
  const inputs = (await comparisonPictures(run)).map((picture) => toInput(picture, side));
  const picture = drawing(new Random(2026), 37, 29, 3);
  const input = toInput(picture, side);
  const logits = net.forward(input).slice();
  const tolerance = toleranceOf('logits', 'fp32') ?? 0;
  writeExportBundle(run, folder, {
    family: 'plain',
    onnx: (metadata) => writeOnnx(net, run.job.export.dynamic.includes('batch'), metadata),
    layout: 'NCHW',
    semantics: ['logits'],
    preprocess: preprocessOps(side),
    postprocess: [
      { op: 'softmax', axis: 1 },
      { op: 'topk', k: Math.min(5, classes) },
    ],
    labels,
    origin: { ...origin, datasetDigest: origin.datasetDigest ?? run.job.dataset?.digest ?? null },
    selftest: {
      picture,
      input: { shape: [1, 1, side, side], data: input },
      outputs: [{ shape: [1, classes], data: logits }],
      classes: rank(softmax(logits)),
    },
    verify: (file) => {
      const copy = readModel(file).net;
      let [maxAbs, sum, agreed] = [0, 0, 0];
      for (const example of [input, ...inputs]) {
        const expected = net.forward(example).slice();
        const actual = copy.forward(example);
        const parity = compareTensors(actual, expected, tolerance);
        maxAbs = Math.max(maxAbs, parity.maxAbs);
        sum += parity.meanAbs;
        agreed += indexOfMax(actual) === indexOfMax(expected) ? 1 : 0;
      }
      const count = inputs.length + 1;
      const outputs = [{ name: 'logits', maxAbs, meanAbs: sum / count, tolerance }];
      return { runtime: 'reference reader', inputs: count, outputs, taskAgreement: agreed / count };
    },
    readme: readme(model, side, labels),
  });
}

/** Validation pictures when the job brings a dataset, drawings otherwise. */
async function comparisonPictures(run: Run): Promise<Picture[]> {
  const pictures: Picture[] = [];
  if (run.job.dataset !== null) {
    for await (const { picture } of run.pictures('val')) {
      pictures.push(picture);
      if (pictures.length >= PICTURES) break;
    }
  }
  const random = new Random(7);
  while (pictures.length < PICTURES) pictures.push(drawing(random, 20 + random.below(40), 20 + random.below(40), 1));
  return pictures;
}

/** A few strokes on a shaded ground. */
function drawing(random: Random, width: number, height: number, channels: 1 | 3): Picture {
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = 60 + (i * 40) / pixels.length + random.below(20);
  for (let stroke = 0; stroke < 3; stroke += 1) {
    let [x, y] = [random.next() * width, random.next() * height];
    const angle = random.next() * 2 * Math.PI;
    const ink = 160 + random.below(96);
    for (let length = 0; length < width; length += 0.5) {
      x += Math.cos(angle) / 2;
      y += Math.sin(angle) / 2;
      if (x < 0 || y < 0 || x >= width || y >= height) break;
      const at = (Math.floor(y) * width + Math.floor(x)) * channels;
      pixels.fill(ink, at, at + channels);
    }
  }
  return { width, height, channels, pixels };
}

function readme(model: string, side: number, labels: readonly string[]): string {
  return `# ${model} as ONNX

\`model.onnx\` takes one input \`image\` of ${side} × ${side} grey pixels (float32, NCHW) and gives \`logits\` for ${labels.length} classes.

1. Turn the picture grey and stretch it to ${side} × ${side} pixels (bilinear, half-pixel centres).
2. Compute (value / 255 - 0.5) / 0.5.
3. Run the model; softmax of the logits gives the scores. Line n of \`labels.txt\` names class n.

\`metadata.json\` says the same for programs. \`runtime/\` holds programs in Python, JavaScript and C++ that read it:
\`python runtime/python/predict.py IMAGE\`, \`node runtime/ts/selftest.js\`.

\`selftest/\` holds a drawing, the input tensor made of it, the checkpoint's output and the expected answer. The trainer compared the file, read back with its own reader, with the checkpoint; it ran no other runtime.
`;
}

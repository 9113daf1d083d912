import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cacheFolder, digestOf, runs, type Program } from './environments.ts';

/** The C++ driver, compiled once for each engine and kept until a source changes. */

export const ENGINES = ['opencv', 'ort'] as const;
export type CppEngine = (typeof ENGINES)[number];

export const ENGINE_TITLES: Readonly<Record<CppEngine, string>> = { opencv: "OpenCV's dnn", ort: 'ONNX Runtime' };

/** Arguments for the compiler, and what else the program depends on. */
interface Engine {
  readonly compile: readonly string[];
  readonly link: readonly string[];
  readonly stamp: string;
}

const HERE = import.meta.dirname;
const CPP = join(HERE, '..', 'runtime', 'cpp');

export function prepareCpp(engine: CppEngine): Program {
  if (!runs('g++', '--version')) return { missing: 'apt-get install g++ nlohmann-json3-dev zlib1g-dev' };
  const found = engine === 'opencv' ? opencv() : onnxRuntime();
  if ('missing' in found) return found;
  const driver = join(HERE, 'driver.cpp');
  const sources = ['trainyard_predict.hpp', 'trainyard_engine.hpp', 'trainyard_png.hpp'].map((name) => join(CPP, name));
  const path = join(cacheFolder(), `runtime-cpp-${engine}-${found.stamp}${digestOf(driver, ...sources)}`);
  if (existsSync(path)) return { path };
  mkdirSync(cacheFolder(), { recursive: true });
  const half = `${path}.${process.pid}`;
  const words = ['-std=c++17', '-O1', '-ffp-contract=off', '-Wall', '-Wextra', ...found.compile, '-I', CPP, driver];
  const { status, stderr } = spawnSync('g++', [...words, '-o', half, ...found.link, '-lz'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`The C++ wrapper does not compile (${engine}):\n${stderr.slice(0, 4000)}`);
  if (stderr.includes('warning')) throw new Error(`The C++ wrapper warns (${engine}):\n${stderr.slice(0, 4000)}`);
  renameSync(half, path);
  return { path };
}

function opencv(): Engine | { readonly missing: string } {
  const { status, stdout } = spawnSync('pkg-config', ['--cflags', 'opencv4'], { encoding: 'utf8' });
  if (status !== 0) return { missing: 'apt-get install pkg-config libopencv-dev' };
  const flags = stdout.trim().split(/\s+/);
  return {
    compile: ['-DTRAINYARD_WITH_OPENCV', ...flags.map((flag) => flag.replace(/^-I/, '-isystem'))],
    link: ['-lopencv_dnn', '-lopencv_imgproc', '-lopencv_core'],
    stamp: '',
  };
}

/** onnxruntime-node brings the library without its header; this Go module has the header, whole and with a checksum. */
const HEADER_MODULE = 'github.com/yalue/onnxruntime_go@v1.27.0';
const HEADER_SUM = 'h1:c1YSgDNtpf0WGtxj3YeRIb8VC5LmM1J+Ve3uHdteC1U=';

function onnxRuntime(): Engine | { readonly missing: string } {
  const found = findOnnxRuntime();
  if ('missing' in found) return found;
  const { include, library } = found;
  return {
    compile: ['-DTRAINYARD_WITH_ORT', '-isystem', include],
    link: [library, `-Wl,-rpath,${dirname(library)}`],
    // The program finds the library where it lay: another checkout needs its own.
    stamp: `${createHash('sha256').update(library).digest('hex').slice(0, 12)}-`,
  };
}

/** The folder of onnxruntime_c_api.h and the library file. */
export function findOnnxRuntime():
  { readonly include: string; readonly library: string } | { readonly missing: string } {
  const home = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const builds = readdirSync(join(home, 'bin')).map((name) => join(home, 'bin', name, process.platform, process.arch));
  const library = builds.map((folder) => join(folder, 'libonnxruntime.so.1')).find((file) => existsSync(file));
  if (library === undefined)
    return { missing: `onnxruntime-node has no library for ${process.platform} ${process.arch}` };
  if (!runs('go', 'version'))
    return { missing: `go is not installed; it fetches onnxruntime_c_api.h (${HEADER_MODULE})` };
  const { stdout } = spawnSync('go', ['mod', 'download', '-json', HEADER_MODULE], {
    cwd: HERE,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, GOMODCACHE: join(cacheFolder(), 'go-modules'), GOFLAGS: '-modcacherw', GO111MODULE: 'on' },
  });
  const told: { Dir?: string; Sum?: string; Error?: string } = JSON.parse(stdout.trim() === '' ? '{}' : stdout);
  if (told.Dir === undefined) return { missing: `${HEADER_MODULE} could not be fetched: ${told.Error ?? 'no answer'}` };
  if (told.Sum !== HEADER_SUM) throw new Error(`${HEADER_MODULE} has checksum ${told.Sum}, expected ${HEADER_SUM}`);
  const header = readFileSync(join(told.Dir, 'onnxruntime_c_api.h'), 'utf8');
  const asked = Number(/#define ORT_API_VERSION (\d+)/.exec(header)?.[1]);
  const { version }: { version: string } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  // Release 1.N has version N of the API.
  if (!(asked <= Number(version.split('.')[1])))
    return { missing: `the header is of API ${asked}, the library of release ${version}` };
  return { include: told.Dir, library };
}

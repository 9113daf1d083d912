/** Each dataset format: how it is read and written. */
import type { DatasetFormat } from '../../vocabulary.ts';
import { DATASET_FORMATS } from '../../vocabulary.ts';
import type { ReadItems } from '../reading.ts';
import type { OpenWriter } from '../writing.ts';
import { openCoco, readCoco } from './coco.ts';
import { openFolders, readFolders } from './image-folders.ts';
import { openMasks, readMasks } from './mask-png.ts';
import { YOLO_DETECT } from './yolo-detect.ts';
import { openYolo, readYolo, type YoloFormat } from './yolo-lines.ts';
import { YOLO_OBB } from './yolo-obb.ts';
import { yoloPose } from './yolo-pose.ts';
import { YOLO_SEGMENT } from './yolo-segment.ts';

interface FormatEntry {
  readonly read: ReadItems;
  readonly open: OpenWriter;
}

function yolo(format: YoloFormat): FormatEntry {
  return { read: (reading, split) => readYolo(format, reading, split), open: openYolo(format) };
}

export const FORMATS: Readonly<Record<DatasetFormat, FormatEntry>> = {
  'imagefolder@1': { read: readFolders, open: openFolders },
  'yolo-detect@1': yolo(YOLO_DETECT),
  'yolo-segment@1': yolo(YOLO_SEGMENT),
  'yolo-pose@1': {
    read: (reading, split) => readYolo(yoloPose(reading.file.keypoints), reading, split),
    open: (sink, header, placed) => openYolo(yoloPose(header.keypoints))(sink, header, placed),
  },
  'yolo-obb@1': yolo(YOLO_OBB),
  'coco@1': { read: readCoco, open: openCoco },
  'mask-png@1': { read: readMasks, open: openMasks },
};

export function isDatasetFormat(text: string): text is DatasetFormat {
  return DATASET_FORMATS.some((format) => format === text);
}

import type { Messages } from '../messages.ts';
import { account } from './account.ts';
import { author } from './author.ts';
import { catalog } from './catalog.ts';
import { data } from './data.ts';
import { chart, lab, settings, splits } from './lab.ts';
import { operator } from './operator.ts';
import { problems } from './problems.ts';
import { shell, states, track } from './shell.ts';

/**
 * Words used throughout: trainer 트레이너, run 실행, training 학습, checkpoint 체크포인트, export 내보내기, dataset 데이터셋,
 * picture 이미지, task 과제, split 분할, segmentation 세그멘테이션, publish 게시, withdraw 철회, reject 반려, deprecate 비권장,
 * finding 발견 사항, level 등급, contract 규약, device 장치, agent 에이전트, metric 지표, step 스텝, epoch 에포크.
 * Names are followed by a noun ("‘x’ 실행을"), so no particle depends on how a name is pronounced.
 */
export const ko: Messages = {
  shell,
  states,
  track,
  catalog,
  author,
  lab,
  settings,
  splits,
  chart,
  data,
  account,
  operator,
  problems,
};

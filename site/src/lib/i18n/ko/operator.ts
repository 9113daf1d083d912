import type { Messages } from '../messages.ts';

export const operator: Messages['operator'] = {
  title: '에이전트와 대기열',
  text: '작업을 맡은 에이전트와 기다리는 작업입니다.',
  agents: '에이전트',
  noAgents: '보고한 에이전트가 없습니다',
  noAgentsText: 'npm start는 이 컴퓨터에서 러너와 검사기를 함께 시작합니다. 실행 중인지 확인하십시오.',
  queue: '대기열',
  noJobs: '대기 중이거나 실행 중인 작업이 없습니다.',
  busy: (busy, slots) => `${slots}개 중 ${busy}개 사용 중`,
  seen: '마지막 보고',
  offers: '제공 자원',
  kinds: '맡는 작업',
  jobKinds: {
    train: '학습',
    evaluate: '평가',
    predict: '예측',
    export: '내보내기',
    prepare: '환경 준비',
    validate: '검사',
    prove: '측정',
  },
  jobColumns: { kind: '종류', state: '상태', subject: '대상', sentence: '진행 상황', since: '시작' },
  walls: { none: '격리 없음', userns: '사용자 네임스페이스', container: '컨테이너', pod: '파드' },
  cpus: (count) => `프로세서 ${count}개`,
};

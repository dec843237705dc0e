// Owns the proof that a function is brought to what is wanted, twice is once, and a failure leaves the old one running.
// Method: the real client and SDK over http, against the double, which keeps what it was told and refuses what the service refuses.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deployFunction, urnOf } from '../../lib/deploy/deployment.ts';
import type { FunctionGraph } from '../../lib/deploy/function-graph.ts';
import type { FunctionSection } from '../../lib/deploy/settings.ts';
import { connectTo, settingsOf, timerOf, zipAnswering } from '../support/deploy-api.ts';
import { type FunctionGraphDouble, startFunctionGraph } from '../support/function-graph.ts';

let double: FunctionGraphDouble;
let api: FunctionGraph;
beforeEach(async () => {
  double = await startFunctionGraph({ agency: { ak: 'AGENCYKEY', sk: 's', securityToken: 't' } });
  api = await connectTo(double);
});
afterEach(() => double.stop());

const urn = () => urnOf(double, settingsOf());

async function deploy(section: FunctionSection = {}, answer = 'one', secrets = {}) {
  const names = Object.keys(secrets);
  const settings = settingsOf({ secrets: names, events: [timerOf('every-minute')], ...section });
  const zip = await zipAnswering(answer);
  return deployFunction({ api, progress: () => {} }, urn(), settings, secrets, zip);
}

const held = () => {
  const found = double.functions.get(urn());
  if (!found) throw new Error('not deployed');
  return found;
};
const writes = () => double.requests.filter((request) => !request.startsWith('GET'));
const refuseCode = () => {
  double.fail = (method, path) =>
    method === 'PUT' && path.endsWith('/code')
      ? { status: 403, code: 'FSS.0403', message: 'No' }
      : null;
};
const onFailure = { destination: 'SMN' as const, topicUrn: 'urn:smn:topic' };

describe('what is deployed', () => {
  test('code, settings, limit, failure destination and timer, and it runs', async () => {
    const section = {
      memorySize: 128,
      environment: { CGS_EXPORT_LOG_LEVEL: 'debug' },
      onFailure,
      ltsGroupId: 'g',
      ltsStreamId: 's',
      vpcId: 'v',
      subnetId: 'n',
    };
    const { done, error } = await deploy(section);
    expect(error).toBeNull();
    expect(done).toEqual([
      'created',
      'instances: at most 1',
      'failures: 0 retries, told to SMN',
      'timer every-minute created (1m)',
    ]);
    const { config, async, triggers } = held();
    expect(config).toMatchObject({
      func_name: 'cgs-export-collect',
      runtime: 'Node.js20.15',
      handler: 'index.handler',
      memory_size: 128,
      timeout: 60,
      xrole: 'cgs-export',
      user_data: '{"CGS_EXPORT_LOG_LEVEL":"debug"}',
      func_vpc: { vpc_id: 'v', subnet_id: 'n' },
      log_group_id: 'g',
      log_stream_id: 's',
      strategy_config: { concurrency: 1 },
    });
    expect(async).toEqual({
      max_async_event_age_in_seconds: 3_600,
      max_async_retry_attempts: 0,
      destination_config: {
        on_failure: { destination: 'SMN', param: '{"topic_urn":"urn:smn:topic"}' },
      },
    });
    expect(triggers).toMatchObject([{ trigger_type_code: 'TIMER', trigger_status: 'ACTIVE' }]);
    const [fired] = await double.fireTimers();
    expect(fired).toMatchObject({ ok: true, result: { answer: 'one', ak: 'AGENCYKEY' } });
    const invocation = await api.invoke(urn(), { fail: true });
    expect(invocation).toMatchObject({
      status: 500,
      result: '{"errorMessage":"failed on request"}',
    });
    expect(invocation.log).toContain('ran one');
    expect(await api.listInvocations(urn())).toMatchObject([{ status: 'SUCCESS' }]);
  });

  test('the same again changes nothing and writes nothing', async () => {
    const section = {
      onFailure,
      environment: { B: 'b', A: 'a' },
      ltsGroupId: 'g',
      ltsStreamId: 's',
    };
    await deploy(section, 'one', { PROD_SK: 'hunter2-hunter2' });
    const before = writes().length;
    const again = await deploy(section, 'one', { PROD_SK: 'hunter2-hunter2' });
    expect(again).toMatchObject({ done: [], notDone: [], error: null });
    expect(writes().length).toBe(before);
  });

  test('what a service that digests otherwise calls unchanged, is unchanged', async () => {
    await deploy();
    held().config.digest = 'a hash of something else';
    expect(await deploy()).toMatchObject({ done: [], error: null });
  });

  test.each<[string, FunctionSection, string]>([
    ['memory', { memorySize: 512 }, 'configuration (memorySize)'],
    ['agency', { agencyName: 'other', timeout: 30 }, 'configuration (timeout, agencyName)'],
    ['a variable gone', { environment: {} }, 'configuration (environment)'],
    ['instances', { environment: { A: 'a' }, maxInstances: 2 }, 'instances: at most 2'],
    ['destination', { environment: { A: 'a' }, onFailure }, 'failures: 0 retries, told to SMN'],
  ])('one change is one step: %s', async (_what, section, step) => {
    await deploy({ environment: { A: 'a' } });
    const base = { environment: { A: 'a' } };
    const before = writes().length;
    expect((await deploy({ ...base, ...section })).done).toEqual([step]);
    expect(writes().length).toBe(before + 1);
    expect((await deploy({ ...base, ...section })).done).toEqual([]);
  });

  test('new code alone', async () => {
    await deploy();
    expect((await deploy({}, 'two')).done).toEqual(['code']);
    expect((await double.fireTimers())[0]?.result).toMatchObject({ answer: 'two' });
  });
});

describe('timers', () => {
  const schedules = () =>
    held().triggers.map(({ event_data: { name, schedule }, trigger_status: status }) => [
      name,
      schedule,
      status,
    ]);

  test('created, changed, disabled, removed, others left alone', async () => {
    const events = [timerOf('a'), timerOf('b'), timerOf('c'), timerOf('d')];
    await deploy({ events });
    held().triggers.push({
      trigger_id: 'theirs',
      trigger_type_code: 'LTS',
      trigger_status: 'ACTIVE',
      event_data: {},
    });
    const next = [timerOf('a'), timerOf('b', '5m'), timerOf('c', '1m', 'DISABLED'), timerOf('e')];
    const { done } = await deploy({ events: next });
    expect(done).toEqual([
      'timer b changed (1m to 5m)',
      'timer c disabled',
      'timer e created (1m)',
      'timer d removed',
    ]);
    expect(schedules().sort()).toEqual([
      [undefined, undefined, 'ACTIVE'],
      ['a', '1m', 'ACTIVE'],
      ['b', '5m', 'ACTIVE'],
      ['c', '1m', 'DISABLED'],
      ['e', '1m', 'ACTIVE'],
    ]);
    expect((await deploy({ events: next })).done).toEqual([]);
    expect((await double.fireTimers()).length).toBe(4);
  });

  test('one that is refused: the old one stands again', async () => {
    await deploy();
    let posts = 0;
    double.fail = (method, path) => {
      if (method !== 'POST' || !path.includes('/triggers/')) return null;
      posts += 1;
      return posts === 1 ? { status: 400, code: 'FSS.0400', message: 'Invalid' } : null;
    };
    const { error, notDone, stands } = await deploy({ events: [timerOf('every-minute', '5m')] });
    expect(error).toMatchObject({ code: 'FSS.0400' });
    expect(notDone).toEqual(['timer every-minute changed (1m to 5m)']);
    expect(stands).toBe('old code');
    expect(schedules()).toEqual([['every-minute', '1m', 'ACTIVE']]);
  });

  test('one that was deleted, and of which nobody says so, comes back, or may be gone', async () => {
    await deploy();
    double.fail = (method, path) =>
      method === 'GET' && path.includes('/triggers/') && held().triggers.length === 0
        ? { status: 403, code: 'FSS.0403', message: 'No' }
        : null;
    const changed = { events: [timerOf('every-minute', '5m')] };
    expect((await deploy(changed)).notDone).toEqual(['timer every-minute changed (1m to 5m)']);
    expect(held().triggers).toMatchObject([{ event_data: { schedule: '1m' } }]);
    let deleted = false;
    double.fail = (method) => {
      deleted ||= double.requests.at(-1)?.startsWith('DELETE') ?? false;
      return deleted && method !== 'DELETE' ? { status: 403, code: 'x', message: 'No' } : null;
    };
    double.requests.length = 0;
    expect((await deploy(changed)).notDone).toEqual([
      'timer every-minute changed (1m to 5m) (or it was, or there is none now: nobody answers)',
    ]);
  });

  test('one whose event alone is changed says so', async () => {
    await deploy();
    const [timer] = [timerOf('every-minute')];
    const events = [{ ...timer, eventData: { ...timer.eventData, userEvent: 'x' } }];
    expect((await deploy({ events })).done).toEqual(['timer every-minute changed (userEvent)']);
  });

  test('one that fails once is made the second time', async () => {
    await deploy();
    let posts = 0;
    double.fail = (method, path) => {
      if (method !== 'POST' || !path.includes('/triggers/')) return null;
      posts += 1;
      return posts === 1 ? { status: 500, code: 'FSS.0500', message: 'Internal error' } : null;
    };
    const { error, done } = await deploy({ events: [timerOf('every-minute', '5m')] });
    expect(error).toBeNull();
    expect(done).toEqual(['timer every-minute created (5m)']);
    expect(schedules()).toEqual([['every-minute', '5m', 'ACTIVE']]);
  });

  test('one that is lost on the way is said to be lost, and the next deploy makes it', async () => {
    await deploy();
    double.fail = (method, path) =>
      method === 'POST' && path.includes('/triggers/')
        ? { status: 503, code: 'FSS.0503', message: 'down' }
        : null;
    const { notDone } = await deploy({ events: [timerOf('every-minute', '5m')] });
    // It is gone: what is left to do is to make it.
    expect(notDone).toEqual(['timer every-minute created (5m): the old one is gone']);
    double.fail = () => null;
    expect((await deploy()).done).toEqual(['timer every-minute created (1m)']);
  });
});

describe('an answer that is lost', () => {
  const loseOn = (method: string, part: string, times = Number.POSITIVE_INFINITY) => {
    let left = times;
    double.lose = (gotMethod, path) => {
      if (gotMethod !== method || !path.includes(part)) return false;
      left -= 1;
      return left >= 0;
    };
  };
  const next: FunctionSection = { memorySize: 512, events: [timerOf('other')] };

  test.each<[string, string]>([
    ['PUT', '/config'],
    ['PUT', '/code'],
    ['PUT', '/async-invoke-config'],
    ['POST', '/triggers/'],
    ['DELETE', '/triggers/'],
  ])('of %s %s, every time: what stands is read, and it is done', async (method, part) => {
    await deploy();
    loseOn(method, part);
    const { error, done, notDone } = await deploy({ ...next, onFailure }, 'two');
    expect({ error, notDone }).toEqual({ error: null, notDone: [] });
    expect(done).toEqual([
      'configuration (memorySize)',
      'code',
      'failures: 0 retries, told to SMN',
      'timer other created (1m)',
      'timer every-minute removed',
    ]);
    double.lose = () => false;
    expect(await deploy({ ...next, onFailure }, 'two')).toMatchObject({ done: [], error: null });
    expect(held().triggers).toHaveLength(1);
  });

  test('of the creation: it is there, and what is missing follows', async () => {
    loseOn('POST', '/functions');
    const { error, done } = await deploy({}, 'one', { PROD_SK: 'hunter2-hunter2' });
    expect(error).toBeNull();
    expect(done[0]).toBe('created');
    expect(held().encrypted).toEqual({ PROD_SK: 'hunter2-hunter2' });
    expect((await deploy({}, 'one', { PROD_SK: 'hunter2-hunter2' })).done).toEqual([]);
  });

  test('and of every question after it: what runs now is not claimed to be known', async () => {
    await deploy();
    double.lose = (method) => method !== 'GET' || double.requests.length > 100;
    double.fail = (method) =>
      method === 'PUT' || double.requests.some((request) => request.startsWith('PUT'))
        ? { status: 503, code: 'FSS.0503', message: 'down' }
        : null;
    double.requests.length = 0;
    const { stands, notDone } = await deploy(next, 'two');
    expect(stands).toBe('unknown');
    expect(notDone[0]).toBe('configuration (memorySize) (or it was: nobody answers)');
  });

  test('what was certainly not done is done again: a creation that was throttled', async () => {
    let posts = 0;
    double.fail = (method, path) => {
      if (method !== 'POST' || !path.endsWith('/functions')) return null;
      posts += 1;
      return posts < 3 ? { status: 429, code: 'APIGW.0308', message: 'slower' } : null;
    };
    expect(await deploy()).toMatchObject({ error: null });
    expect(posts).toBe(3);
  });
});

describe('a deploy that fails', () => {
  const failOn = (method: string, ending: string, code = 'FSS.0403', status = 403) => {
    double.fail = (gotMethod, path) =>
      gotMethod === method && path.endsWith(ending) ? { status, code, message: 'No' } : null;
  };

  test('at the code: the old code runs on under the old settings', async () => {
    await deploy({ environment: { A: 'a' } });
    failOn('PUT', '/code');
    const outcome = await deploy({ environment: { A: 'b' }, memorySize: 512 }, 'two');
    expect(outcome).toMatchObject({
      done: [],
      notDone: ['configuration (memorySize, environment) (put back)', 'code'],
      stands: 'old code',
      error: { code: 'FSS.0403' },
    });
    expect(held().config).toMatchObject({ memory_size: 256, user_data: '{"A":"a"}' });
    expect((await double.fireTimers())[0]?.result).toMatchObject({ answer: 'one' });
    double.fail = () => null;
    expect((await deploy({ environment: { A: 'b' }, memorySize: 512 }, 'two')).done).toEqual([
      'configuration (memorySize, environment)',
      'code',
    ]);
  });

  test('at the settings: nothing is changed', async () => {
    await deploy();
    failOn('PUT', '/config');
    const { done, notDone } = await deploy({ memorySize: 512 }, 'two');
    expect([done, notDone]).toEqual([[], ['configuration (memorySize)', 'code']]);
    expect((await double.fireTimers())[0]?.result).toMatchObject({ answer: 'one' });
  });

  test('after the code: the new code is there, and that is said', async () => {
    await deploy();
    failOn('PUT', '/async-invoke-config');
    const { done, notDone, stands } = await deploy({ onFailure, events: [timerOf('b')] }, 'two');
    expect({ done, stands }).toEqual({ done: ['code'], stands: 'new code' });
    expect(notDone).toEqual([
      'failures: 0 retries, told to SMN',
      'timer b created (1m)',
      'timer every-minute removed',
    ]);
  });

  test('at the creation: nothing is deployed', async () => {
    failOn('POST', '/functions');
    const { done, notDone, stands } = await deploy();
    expect({ done, stands }).toEqual({ done: [], stands: 'nothing' });
    expect(notDone[0]).toBe('created');
  });

  test('half made: no timer fires yet, what is missing is said, and the next deploy makes it', async () => {
    failOn('PUT', '/async-invoke-config');
    const { done, notDone, error } = await deploy();
    expect(done).toEqual(['created', 'instances: at most 1']);
    expect(notDone).toEqual([
      'failures: 0 retries, told to nobody',
      'timer every-minute created (1m)',
    ]);
    expect(error?.hint).toContain('FunctionGraph FullAccess');
    expect(await double.fireTimers()).toEqual([]);
    double.fail = () => null;
    expect((await deploy()).done).toEqual([
      'failures: 0 retries, told to nobody',
      'timer every-minute created (1m)',
    ]);
  });
});

describe('secrets', () => {
  const secret = 'hunter2-hunter2-hunter2';

  test('go encrypted, reach the function, and show nowhere else', async () => {
    const { done } = await deploy({}, 'one', { PROD_SK: secret });
    expect(done[1]).toBe('secrets');
    expect(held().encrypted).toEqual({ PROD_SK: secret });
    expect(JSON.stringify([held().config, held().triggers, held().async])).not.toContain('hunter2');
    expect(held().zip.includes('hunter2')).toBe(false);
    expect((await double.fireTimers())[0]?.result).toMatchObject({ secret });
  });

  test('that could not be sent with the creation are sent by the next deploy', async () => {
    double.fail = (method, path) =>
      method === 'PUT' && path.endsWith('/config')
        ? { status: 500, code: 'FSS.0500', message: 'No' }
        : null;
    const first = await deploy({}, 'one', { PROD_SK: secret });
    expect(first.done).toEqual(['created']);
    expect(first.notDone).toContain('configuration (secrets)');
    double.fail = () => null;
    expect((await deploy({}, 'one', { PROD_SK: secret })).done).toContain(
      'configuration (secrets)',
    );
    expect(held().encrypted).toEqual({ PROD_SK: secret });
  });

  test('cannot be put back, which is said; the mark tells the next deploy which stand', async () => {
    await deploy({}, 'one', { PROD_SK: secret });
    double.fail = (method, path) =>
      method === 'PUT' && path.endsWith('/code')
        ? { status: 403, code: 'FSS.0403', message: 'No' }
        : null;
    const failed = await deploy({ memorySize: 512 }, 'two', { PROD_SK: 'another' });
    expect(failed.done).toEqual(['secrets (nobody can read the old ones to put them back)']);
    expect(failed.notDone).toEqual(['configuration (memorySize) (put back)', 'code']);
    double.fail = () => null;
    expect((await deploy({}, 'one', { PROD_SK: secret })).done).toEqual([
      'configuration (secrets)',
    ]);
    expect(held().encrypted).toEqual({ PROD_SK: secret });
  });

  test('a changed one is sent, one that is not wanted any more goes', async () => {
    await deploy({}, 'one', { PROD_SK: secret });
    expect((await deploy({}, 'one', { PROD_SK: 'another' })).done).toEqual([
      'configuration (secrets)',
    ]);
    expect(held().encrypted).toEqual({ PROD_SK: 'another' });
    expect((await deploy()).done).toEqual(['configuration (secrets)']);
    expect(held().encrypted).toEqual({});
    expect(held().config.user_data).toBe('{}');
  });
});

describe('what no call would bring about is refused before the first', () => {
  test('half of a function that is not deployed', async () => {
    const settings = settingsOf();
    const zip = await zipAnswering('one');
    const deploying = deployFunction({ api, progress: () => {} }, urn(), settings, {}, zip, 'code');
    await expect(deploying).rejects.toThrow('cgs-export-collect is not deployed');
    expect(writes()).toEqual([]);
  });

  test('another enterprise project is a change', async () => {
    await deploy();
    expect((await deploy({ enterpriseProjectId: 'ep1' })).done).toEqual([
      'configuration (enterpriseProjectId)',
    ]);
    expect((await deploy({ enterpriseProjectId: 'ep1' })).done).toEqual([]);
  });
});

describe('what no call takes away is said to stay', () => {
  const inside = { vpcId: 'v', subnetId: 'n', enterpriseProjectId: 'ep1' };

  test('a VPC and an enterprise project that serverless.yml no longer names', async () => {
    await deploy(inside);
    expect(await deploy(inside)).toMatchObject({ done: [], stays: [] });
    const stays = ['VPC v', 'enterprise project ep1'];
    expect(await deploy()).toMatchObject({ done: [], stays, error: null });
    expect(await deploy({ memorySize: 512 })).toMatchObject({
      done: ['configuration (memorySize)'],
      stays,
      error: null,
    });
  });

  test('what came with a code that was refused; and the roll-back goes through', async () => {
    await deploy();
    refuseCode();
    const added = { ...inside, ltsGroupId: 'g', ltsStreamId: 's', memorySize: 512 };
    const failed = await deploy(added, 'two');
    expect(failed.done).toEqual([
      'vpcId, ltsGroupId, enterpriseProjectId (the API documents no way to take it back)',
    ]);
    expect(failed.notDone).toEqual(['configuration (memorySize) (put back)', 'code']);
    double.fail = () => null;
    expect(await deploy()).toMatchObject({ done: [], error: null });
  });

  test('a VPC, log group and enterprise project that were changed go back', async () => {
    const before = { ...inside, ltsGroupId: 'g', ltsStreamId: 's' };
    await deploy(before);
    refuseCode();
    const other = {
      vpcId: 'w',
      subnetId: 'm',
      enterpriseProjectId: 'ep2',
      ltsGroupId: 'h',
      ltsStreamId: 't',
    };
    expect((await deploy(other, 'two')).done).toEqual([]);
    double.fail = () => null;
    expect((await deploy(before)).done).toEqual([]);
  });
});

describe('code of which nobody says whether it came', () => {
  const next = { memorySize: 512 };
  const onCode = (method: string, path: string) => method === 'PUT' && path.endsWith('/code');

  test.each([
    ['is of the zip', false],
    ['is of something else', true],
  ])(
    'one lost answer: done, though the same code is refused then; the digest %s',
    async (_what, isOther) => {
      await deploy();
      let sent = 0;
      double.lose = (method, path) => {
        if (!onCode(method, path)) return false;
        if (isOther) held().config.digest = 'of something else';
        sent += 1;
        return sent === 1;
      };
      expect(await deploy({}, 'two')).toMatchObject({ done: ['code'], error: null });
      expect((await double.fireTimers())[0]?.result).toMatchObject({ answer: 'two' });
    },
  );

  test('refused by a service that fails: the settings go back, and that is said', async () => {
    await deploy();
    double.fail = (method, path) =>
      onCode(method, path) ? { status: 503, code: 'FSS.0503', message: 'down' } : null;
    expect(await deploy(next, 'two')).toMatchObject({
      done: [],
      notDone: ['configuration (memorySize) (put back)', 'code'],
      stands: 'old code',
    });
    expect(held().config.memory_size).toBe(256);
  });

  test('nobody answers any more: nothing is put back blindly', async () => {
    await deploy();
    let down = false;
    double.lose = (method, path) => {
      down ||= onCode(method, path);
      return down;
    };
    double.fail = () => (down ? { status: 503, code: 'FSS.0503', message: 'down' } : null);
    expect(await deploy(next, 'two')).toMatchObject({
      done: ['configuration (memorySize)'],
      notDone: ['code (or it was: nobody answers)'],
      stands: 'unknown',
    });
    // The new code runs, under the settings that belong to it.
    expect(held().config.memory_size).toBe(512);
  });

  test('the answer to putting back is lost: judged by what stands', async () => {
    await deploy();
    refuseCode();
    let refused = false;
    double.lose = (method, path) => {
      refused ||= double.requests.some((request) => request.endsWith('/code'));
      return refused && method === 'PUT' && path.endsWith('/config');
    };
    expect((await deploy(next, 'two')).notDone[0]).toBe('configuration (memorySize) (put back)');
  });

  test('putting back is refused: said', async () => {
    await deploy();
    let configs = 0;
    double.fail = (method, path) => {
      if (onCode(method, path)) return { status: 403, code: 'FSS.0403', message: 'No' };
      if (method !== 'PUT' || !path.endsWith('/config')) return null;
      configs += 1;
      return configs > 1 ? { status: 403, code: 'FSS.0403', message: 'No' } : null;
    };
    expect((await deploy(next, 'two')).done).toEqual([
      'configuration (memorySize) (could not be put back)',
    ]);
  });
});

describe('what was done, whatever was answered', () => {
  /** The request has its effect; what comes back is `answer`, for as long as `wanted` says. */
  const answerAfter = (
    wanted: (method: string, path: string) => boolean,
    answer: { status: number; body: string },
  ) => {
    double.answerAfter = (method, path) => (wanted(method, path) ? answer : null);
  };
  const isConfig = (method: string, path: string) => method === 'PUT' && path.endsWith('/config');

  test.each([
    ['a page with status 200', { status: 200, body: '<html>' }],
    ['an empty object', { status: 200, body: '{}' }],
    ["a proxy's 408", { status: 408, body: '<html>' }],
    ["a proxy's 404", { status: 404, body: '<html>' }],
  ])('%s after the settings: done, and what follows is done too', async (_what, answer) => {
    await deploy();
    let sent = 0;
    answerAfter((method, path) => {
      if (!isConfig(method, path)) return false;
      sent += 1;
      return sent === 1;
    }, answer);
    expect(await deploy({ memorySize: 512 }, 'two')).toMatchObject({
      done: ['configuration (memorySize)', 'code'],
      notDone: [],
      error: null,
    });
  });

  test.each([404, 200])(
    "somebody else's %i for everything is no absent function",
    async (status) => {
      await deploy();
      answerAfter(() => true, { status, body: '<html>' });
      await expect(deploy({ memorySize: 512 })).rejects.toThrow(/ShowFunctionConfig/);
      double.answerAfter = () => null;
      expect(await deploy()).toMatchObject({ done: [], error: null });
    },
  );
});

describe("a page of somebody else's with status 200 is believed by no call", () => {
  test.each([
    ['GET', /\/config$/],
    ['PUT', /\/config$/],
    ['PUT', /\/code$/],
    ['PUT', /\/config-max-instance$/],
    ['GET', /\/async-invoke-config$/],
    ['PUT', /\/async-invoke-config$/],
    ['GET', /\/triggers\//],
    ['POST', /\/triggers\//],
    ['DELETE', /\/triggers\//],
  ])('%s %s', async (wantedMethod, wantedPath) => {
    await deploy();
    double.fail = (method, path) =>
      method === wantedMethod && wantedPath.test(path)
        ? { status: 200, code: 'x', message: '<html>' }
        : null;
    const changed = { memorySize: 512, maxInstances: 2, onFailure, events: [timerOf('other')] };
    const outcome = await deploy(changed, 'two').catch((error: unknown) => ({ error }));
    expect(outcome.error).toMatchObject({ code: 'UNEXPECTED_ANSWER' });
  });
});

// Tests deploying a function: all settings, no change in a second deploy, lost responses, and rollback after an error.
// Method: the real client and SDK over http against the FunctionGraph double, which rejects what the service rejects.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deployFunction, urnOf } from '../../lib/deploy/deployment.ts';
import type { FunctionGraph } from '../../lib/deploy/function-graph.ts';
import type { FunctionSection } from '../../lib/deploy/settings-schema.ts';
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
  return deployFunction({ api, urn: urn(), settings, secrets, zip, scope: 'all' }, () => {});
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

describe('a deployment', () => {
  test('sets code, configuration, limit, failure destination and timer, and the function runs', async () => {
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
      'create function',
      'limit instances to 1',
      'set failure handling (0 retries, destination SMN)',
      'create timer every-minute (1m)',
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

  test('a second deployment changes nothing and sends only reads', async () => {
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

  test('reports no change if the API calls the code unchanged, although its digest differs', async () => {
    await deploy();
    held().config.digest = 'a hash of something else';
    expect(await deploy()).toMatchObject({ done: [], error: null });
  });

  test.each<[string, FunctionSection, string]>([
    ['memory', { memorySize: 512 }, 'update configuration (memorySize)'],
    ['agency', { agencyName: 'other', timeout: 30 }, 'update configuration (timeout, agencyName)'],
    ['a removed variable', { environment: {} }, 'update configuration (environment)'],
    ['instances', { environment: { A: 'a' }, maxInstances: 2 }, 'limit instances to 2'],
    [
      'destination',
      { environment: { A: 'a' }, onFailure },
      'set failure handling (0 retries, destination SMN)',
    ],
  ])('one changed setting is one step: %s', async (_what, section, step) => {
    await deploy({ environment: { A: 'a' } });
    const base = { environment: { A: 'a' } };
    const before = writes().length;
    expect((await deploy({ ...base, ...section })).done).toEqual([step]);
    expect(writes().length).toBe(before + 1);
    expect((await deploy({ ...base, ...section })).done).toEqual([]);
  });

  test('updates the code alone', async () => {
    await deploy();
    expect((await deploy({}, 'two')).done).toEqual(['update code']);
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

  test('creates, changes, disables and removes timers, and leaves other triggers alone', async () => {
    const events = [timerOf('a'), timerOf('b'), timerOf('c'), timerOf('d')];
    await deploy({ events });
    held().triggers.push({
      trigger_id: 'other',
      trigger_type_code: 'LTS',
      trigger_status: 'ACTIVE',
      event_data: {},
    });
    const next = [timerOf('a'), timerOf('b', '5m'), timerOf('c', '1m', 'DISABLED'), timerOf('e')];
    const { done } = await deploy({ events: next });
    expect(done).toEqual([
      'change timer b (1m to 5m)',
      'disable timer c',
      'create timer e (1m)',
      'remove timer d',
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

  test('creates the old timer again if the new one is rejected', async () => {
    await deploy();
    let posts = 0;
    double.fail = (method, path) => {
      if (method !== 'POST' || !path.includes('/triggers/')) return null;
      posts += 1;
      return posts === 1 ? { status: 400, code: 'FSS.0400', message: 'Invalid' } : null;
    };
    const { error, notDone, running } = await deploy({ events: [timerOf('every-minute', '5m')] });
    expect(error).toMatchObject({ code: 'FSS.0400' });
    expect(notDone).toEqual(['change timer every-minute (1m to 5m)']);
    expect(running).toBe('old code');
    expect(schedules()).toEqual([['every-minute', '1m', 'ACTIVE']]);
  });

  test('a timer with an unknown state is created again, or reported as possibly missing', async () => {
    await deploy();
    double.fail = (method, path) =>
      method === 'GET' && path.includes('/triggers/') && held().triggers.length === 0
        ? { status: 403, code: 'FSS.0403', message: 'No' }
        : null;
    const changed = { events: [timerOf('every-minute', '5m')] };
    expect((await deploy(changed)).notDone).toEqual(['change timer every-minute (1m to 5m)']);
    expect(held().triggers).toMatchObject([{ event_data: { schedule: '1m' } }]);
    let deleted = false;
    double.fail = (method) => {
      deleted ||= double.requests.at(-1)?.startsWith('DELETE') ?? false;
      return deleted && method !== 'DELETE' ? { status: 403, code: 'x', message: 'No' } : null;
    };
    double.requests.length = 0;
    expect((await deploy(changed)).notDone).toEqual([
      'change timer every-minute (1m to 5m) (outcome unknown: no answer; the timer may be missing)',
    ]);
  });

  test('creates a timer in the second try', async () => {
    await deploy();
    let posts = 0;
    double.fail = (method, path) => {
      if (method !== 'POST' || !path.includes('/triggers/')) return null;
      posts += 1;
      return posts === 1 ? { status: 500, code: 'FSS.0500', message: 'Internal error' } : null;
    };
    const { error, done } = await deploy({ events: [timerOf('every-minute', '5m')] });
    expect(error).toBeNull();
    expect(done).toEqual(['create timer every-minute (5m)']);
    expect(schedules()).toEqual([['every-minute', '5m', 'ACTIVE']]);
  });

  test('reports a lost timer, and the next deployment creates it', async () => {
    await deploy();
    double.fail = (method, path) =>
      method === 'POST' && path.includes('/triggers/')
        ? { status: 503, code: 'FSS.0503', message: 'down' }
        : null;
    const { notDone } = await deploy({ events: [timerOf('every-minute', '5m')] });
    // The old timer is deleted, so the remaining step is to create the new one.
    expect(notDone).toEqual(['create timer every-minute (5m) (the old timer is deleted)']);
    double.fail = () => null;
    expect((await deploy()).done).toEqual(['create timer every-minute (1m)']);
  });
});

describe('a lost response', () => {
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
  ])('to every %s %s: reads the state, and the step is done', async (method, part) => {
    await deploy();
    loseOn(method, part);
    const { error, done, notDone } = await deploy({ ...next, onFailure }, 'two');
    expect({ error, notDone }).toEqual({ error: null, notDone: [] });
    expect(done).toEqual([
      'update configuration (memorySize)',
      'update code',
      'set failure handling (0 retries, destination SMN)',
      'create timer other (1m)',
      'remove timer every-minute',
    ]);
    double.lose = () => false;
    expect(await deploy({ ...next, onFailure }, 'two')).toMatchObject({ done: [], error: null });
    expect(held().triggers).toHaveLength(1);
  });

  test('to the creation: the function exists, and the other steps follow', async () => {
    loseOn('POST', '/functions');
    const { error, done } = await deploy({}, 'one', { PROD_SK: 'hunter2-hunter2' });
    expect(error).toBeNull();
    expect(done[0]).toBe('create function');
    expect(held().encrypted).toEqual({ PROD_SK: 'hunter2-hunter2' });
    expect((await deploy({}, 'one', { PROD_SK: 'hunter2-hunter2' })).done).toEqual([]);
  });

  test('and no response to later reads: reports that the running code is unknown', async () => {
    await deploy();
    double.lose = (method) => method !== 'GET' || double.requests.length > 100;
    double.fail = (method) =>
      method === 'PUT' || double.requests.some((request) => request.startsWith('PUT'))
        ? { status: 503, code: 'FSS.0503', message: 'down' }
        : null;
    double.requests.length = 0;
    const { running, notDone } = await deploy(next, 'two');
    expect(running).toBe('unknown');
    expect(notDone[0]).toBe('update configuration (memorySize) (outcome unknown: no answer)');
  });

  test('repeats a creation that was throttled: it certainly had no effect', async () => {
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

describe('a failed deployment', () => {
  const failOn = (method: string, ending: string, code = 'FSS.0403', status = 403) => {
    double.fail = (gotMethod, path) =>
      gotMethod === method && path.endsWith(ending) ? { status, code, message: 'No' } : null;
  };

  test('at the code: the old code still runs with the old configuration', async () => {
    await deploy({ environment: { A: 'a' } });
    failOn('PUT', '/code');
    const outcome = await deploy({ environment: { A: 'b' }, memorySize: 512 }, 'two');
    expect(outcome).toMatchObject({
      done: [],
      notDone: ['update configuration (memorySize, environment) (rolled back)', 'update code'],
      running: 'old code',
      error: { code: 'FSS.0403' },
    });
    expect(held().config).toMatchObject({ memory_size: 256, user_data: '{"A":"a"}' });
    expect((await double.fireTimers())[0]?.result).toMatchObject({ answer: 'one' });
    double.fail = () => null;
    expect((await deploy({ environment: { A: 'b' }, memorySize: 512 }, 'two')).done).toEqual([
      'update configuration (memorySize, environment)',
      'update code',
    ]);
  });

  test('at the configuration: nothing is changed', async () => {
    await deploy();
    failOn('PUT', '/config');
    const { done, notDone } = await deploy({ memorySize: 512 }, 'two');
    expect([done, notDone]).toEqual([[], ['update configuration (memorySize)', 'update code']]);
    expect((await double.fireTimers())[0]?.result).toMatchObject({ answer: 'one' });
  });

  test('after the code: reports that the new code is deployed', async () => {
    await deploy();
    failOn('PUT', '/async-invoke-config');
    const { done, notDone, running } = await deploy({ onFailure, events: [timerOf('b')] }, 'two');
    expect({ done, running }).toEqual({ done: ['update code'], running: 'new code' });
    expect(notDone).toEqual([
      'set failure handling (0 retries, destination SMN)',
      'create timer b (1m)',
      'remove timer every-minute',
    ]);
  });

  test('at the creation: reports that the function does not exist', async () => {
    failOn('POST', '/functions');
    const { done, notDone, running } = await deploy();
    expect({ done, running }).toEqual({ done: [], running: 'nothing' });
    expect(notDone[0]).toBe('create function');
  });

  test('halfway: no timer fires yet, the result names the missing steps, and the next deployment runs them', async () => {
    failOn('PUT', '/async-invoke-config');
    const { done, notDone, error } = await deploy();
    expect(done).toEqual(['create function', 'limit instances to 1']);
    expect(notDone).toEqual([
      'set failure handling (0 retries, no destination)',
      'create timer every-minute (1m)',
    ]);
    expect(error?.hint).toContain('FunctionGraph FullAccess');
    expect(await double.fireTimers()).toEqual([]);
    double.fail = () => null;
    expect((await deploy()).done).toEqual([
      'set failure handling (0 retries, no destination)',
      'create timer every-minute (1m)',
    ]);
  });
});

describe('secrets', () => {
  const secret = 'hunter2-hunter2-hunter2';

  test('are sent encrypted, reach the function, and appear nowhere else', async () => {
    const { done } = await deploy({}, 'one', { PROD_SK: secret });
    expect(done[1]).toBe('set secrets');
    expect(held().encrypted).toEqual({ PROD_SK: secret });
    expect(JSON.stringify([held().config, held().triggers, held().async])).not.toContain('hunter2');
    expect(held().zip.includes('hunter2')).toBe(false);
    expect((await double.fireTimers())[0]?.result).toMatchObject({ secret });
  });

  test('that failed at the creation are sent by the next deployment', async () => {
    double.fail = (method, path) =>
      method === 'PUT' && path.endsWith('/config')
        ? { status: 500, code: 'FSS.0500', message: 'No' }
        : null;
    const first = await deploy({}, 'one', { PROD_SK: secret });
    expect(first.done).toEqual(['create function']);
    expect(first.notDone).toContain('update configuration (secrets)');
    double.fail = () => null;
    expect((await deploy({}, 'one', { PROD_SK: secret })).done).toContain(
      'update configuration (secrets)',
    );
    expect(held().encrypted).toEqual({ PROD_SK: secret });
  });

  test('cannot be rolled back, and the mark shows the next deployment which values are deployed', async () => {
    await deploy({}, 'one', { PROD_SK: secret });
    double.fail = (method, path) =>
      method === 'PUT' && path.endsWith('/code')
        ? { status: 403, code: 'FSS.0403', message: 'No' }
        : null;
    const failed = await deploy({ memorySize: 512 }, 'two', { PROD_SK: 'another' });
    expect(failed.done).toEqual([
      'update secrets (no rollback: the API does not return the old values)',
    ]);
    expect(failed.notDone).toEqual([
      'update configuration (memorySize) (rolled back)',
      'update code',
    ]);
    double.fail = () => null;
    expect((await deploy({}, 'one', { PROD_SK: secret })).done).toEqual([
      'update configuration (secrets)',
    ]);
    expect(held().encrypted).toEqual({ PROD_SK: secret });
  });

  test('sends a changed value and removes a value that is no longer wanted', async () => {
    await deploy({}, 'one', { PROD_SK: secret });
    expect((await deploy({}, 'one', { PROD_SK: 'another' })).done).toEqual([
      'update configuration (secrets)',
    ]);
    expect(held().encrypted).toEqual({ PROD_SK: 'another' });
    expect((await deploy()).done).toEqual(['update configuration (secrets)']);
    expect(held().encrypted).toEqual({});
    expect(held().config.user_data).toBe('{}');
  });
});

describe('before the first change', () => {
  test('rejects an update of the code of a function that is not deployed', async () => {
    const settings = settingsOf();
    const zip = await zipAnswering('one');
    const deploying = deployFunction(
      { api, urn: urn(), settings, secrets: {}, zip, scope: 'code' },
      () => {},
    );
    await expect(deploying).rejects.toThrow('cgs-export-collect is not deployed');
    expect(writes()).toEqual([]);
  });

  test('finds a change of the enterprise project', async () => {
    await deploy();
    expect((await deploy({ enterpriseProjectId: 'ep1' })).done).toEqual([
      'update configuration (enterpriseProjectId)',
    ]);
    expect((await deploy({ enterpriseProjectId: 'ep1' })).done).toEqual([]);
  });
});

describe('settings that no API call removes', () => {
  const inside = { vpcId: 'v', subnetId: 'n', enterpriseProjectId: 'ep1' };

  test('reports a VPC and an enterprise project that serverless.yml no longer has', async () => {
    await deploy(inside);
    expect(await deploy(inside)).toMatchObject({ done: [], leftovers: [] });
    const leftovers = ['VPC v', 'enterprise project ep1'];
    expect(await deploy()).toMatchObject({ done: [], leftovers, error: null });
    expect(await deploy({ memorySize: 512 })).toMatchObject({
      done: ['update configuration (memorySize)'],
      leftovers,
      error: null,
    });
  });

  test('reports the settings that a rollback cannot remove', async () => {
    await deploy();
    refuseCode();
    const added = { ...inside, ltsGroupId: 'g', ltsStreamId: 's', memorySize: 512 };
    const failed = await deploy(added, 'two');
    expect(failed.done).toEqual([
      'set vpcId, ltsGroupId, enterpriseProjectId (no rollback: no API call removes it)',
    ]);
    expect(failed.notDone).toEqual([
      'update configuration (memorySize) (rolled back)',
      'update code',
    ]);
    double.fail = () => null;
    expect(await deploy()).toMatchObject({ done: [], error: null });
  });

  test('rolls back a changed VPC, log group and enterprise project', async () => {
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

describe('code with an unknown outcome', () => {
  const next = { memorySize: 512 };
  const onCode = (method: string, path: string) => method === 'PUT' && path.endsWith('/code');

  test.each([
    ['is that of the zip', false],
    ['is different', true],
  ])(
    'one lost response: done, although the second try is rejected as unchanged; the digest %s',
    async (_what, isOther) => {
      await deploy();
      let sent = 0;
      double.lose = (method, path) => {
        if (!onCode(method, path)) return false;
        if (isOther) held().config.digest = 'of something else';
        sent += 1;
        return sent === 1;
      };
      expect(await deploy({}, 'two')).toMatchObject({ done: ['update code'], error: null });
      expect((await double.fireTimers())[0]?.result).toMatchObject({ answer: 'two' });
    },
  );

  test('a failing service: rolls the configuration back and reports it', async () => {
    await deploy();
    double.fail = (method, path) =>
      onCode(method, path) ? { status: 503, code: 'FSS.0503', message: 'down' } : null;
    expect(await deploy(next, 'two')).toMatchObject({
      done: [],
      notDone: ['update configuration (memorySize) (rolled back)', 'update code'],
      running: 'old code',
    });
    expect(held().config.memory_size).toBe(256);
  });

  test('no more responses: rolls nothing back', async () => {
    await deploy();
    let down = false;
    double.lose = (method, path) => {
      down ||= onCode(method, path);
      return down;
    };
    double.fail = () => (down ? { status: 503, code: 'FSS.0503', message: 'down' } : null);
    expect(await deploy(next, 'two')).toMatchObject({
      done: ['update configuration (memorySize)'],
      notDone: ['update code (outcome unknown: no answer)'],
      running: 'unknown',
    });
    // The new code runs with its own configuration.
    expect(held().config.memory_size).toBe(512);
  });

  test('a lost response to the rollback: reads the state', async () => {
    await deploy();
    refuseCode();
    let refused = false;
    double.lose = (method, path) => {
      refused ||= double.requests.some((request) => request.endsWith('/code'));
      return refused && method === 'PUT' && path.endsWith('/config');
    };
    expect((await deploy(next, 'two')).notDone[0]).toBe(
      'update configuration (memorySize) (rolled back)',
    );
  });

  test('reports a rejected rollback', async () => {
    await deploy();
    let configs = 0;
    double.fail = (method, path) => {
      if (onCode(method, path)) return { status: 403, code: 'FSS.0403', message: 'No' };
      if (method !== 'PUT' || !path.endsWith('/config')) return null;
      configs += 1;
      return configs > 1 ? { status: 403, code: 'FSS.0403', message: 'No' } : null;
    };
    expect((await deploy(next, 'two')).done).toEqual([
      'update configuration (memorySize) (rollback failed)',
    ]);
  });
});

describe('a step that had its effect', () => {
  /** The request has its effect, but the response is `answer` as long as `wanted` returns true. */
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
  ])('is done, and the next steps follow, in spite of %s', async (_what, answer) => {
    await deploy();
    let sent = 0;
    answerAfter((method, path) => {
      if (!isConfig(method, path)) return false;
      sent += 1;
      return sent === 1;
    }, answer);
    expect(await deploy({ memorySize: 512 }, 'two')).toMatchObject({
      done: ['update configuration (memorySize)', 'update code'],
      notDone: [],
      error: null,
    });
  });

  test.each([404, 200])(
    'a %i response of another server does not mean that the function is absent',
    async (status) => {
      await deploy();
      answerAfter(() => true, { status, body: '<html>' });
      await expect(deploy({ memorySize: 512 })).rejects.toThrow(/ShowFunctionConfig/);
      double.answerAfter = () => null;
      expect(await deploy()).toMatchObject({ done: [], error: null });
    },
  );
});

describe('rejects a 200 response that is not from FunctionGraph', () => {
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

// Responsible for the nodes of the independent endpoint: every oddity that the API references allow or that was observed.
// Written without code of lib/.

/** An entry of the list. */
export interface PlainNode {
  /** Null: the record has no host_id. */
  hostId: string | null;
  /** Its JSON. `mutating`: each serving changes the node. */
  serve(mutating: boolean): string;
}

export interface NodeMaker {
  next(): PlainNode;
  nextKeyless(): PlainNode;
}

const names = [
  'web-01',
  '节点-容器-七',
  'ノード・ｆｕｌｌｗｉｄｔｈ',
  '🚀🛰️ emoji node 👩‍💻',
  'عقدة حاوية',
  'tab\there "quoted" back\\slash',
  'line\nbreak\u0000nul\u001fend',
  '\ufb00\ufffd\uffff high bmp',
  "o'brien; DROP TABLE nodes; --",
  '',
  'x'.repeat(128),
  '節'.repeat(128),
  'trailing space ',
  'null',
];

export function createNodes(seed: number): NodeMaker {
  let made = 0;
  function makeRecord(index: number, hostId: string | null): Record<string, unknown> {
    const record: Record<string, unknown> = {
      ...(hostId === null ? {} : { host_id: hostId }),
      host_name: `${names[index % names.length]}${index % 3 === 0 ? `-${index}` : ''}`.slice(
        0,
        128,
      ),
      host_status: ['ACTIVE', 'SHUTOFF', 'BUILDING', 'ERROR'][index % 4],
      agent_status: ['online', 'offline', 'not_register', 'not_installed'][index % 4],
      protect_status: index % 2 === 0 ? 'opened' : 'closed',
    };
    // Only the five fields of 2021, as an old endpoint sends them.
    if (index % 5 === 0) return record;
    Object.assign(record, {
      agent_id: `agent-${seed}-${index}`,
      protect_interrupt: index % 7 === 0,
      protect_degradation: index % 11 === 0 ? null : false,
      degradation_reason: index % 11 === 0 ? 'memory' : '',
      container_tags: ['cce', 'self', 'other'][index % 3],
      private_ip: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
      public_ip: index % 9 === 0 ? '203.0.113.7' : null,
      resource_id: `res-${index}`,
      group_name: index % 2 === 0 ? '默认组' : null,
      enterprise_project_name: 'default',
      detect_result: ['undetected', 'clean', 'risk', 'scanning'][index % 4],
      asset: index % 2_097_152,
      vulnerability: 0,
      intrusion: index % 13,
      policy_group_id: `policy-${index % 4}`,
      policy_group_name: `策略 ${index % 4}`,
      is_container_node: [true, false, null][index % 3],
      version: ['hss.version.container.enterprise', 'hss.version.null', ''][index % 3],
    });
    if (index % 17 === 0) record.agent_status = 'install_failed_v9';
    if (index % 19 === 0) record.new_field_2027 = { since: index, tags: ['a', '🧪'] };
    if (index % 23 === 0) record.asset = `${index} assets`;
    if (index % 29 === 0) record.protect_interrupt = 'false';
    if (index % 53 === 0) record.is_container_node = 'true';
    if (index % 59 === 0) record.version = 5;
    if (index % 31 === 0) record.host_name = null;
    if (index % 37 === 0) record.intrusion = 3_000_000_000;
    if (index % 41 === 0) record.private_ip = ['10.0.0.1', '10.0.0.2'];
    // Marked with @ and replaced later, because JSON.stringify would round the number.
    if (index % 43 === 0) record.serial = '@12345678901234567890@';
    if (index % 47 === 0) record.detect_result = 'quarantined';
    return record;
  }
  function makeNode(hostId: string | null): PlainNode {
    const record = makeRecord(made, hostId);
    const hasCount = typeof record.vulnerability === 'number';
    made += 1;
    let servings = 0;
    return {
      hostId,
      serve(mutating) {
        servings += 1;
        if (mutating && hasCount) record.vulnerability = servings;
        return JSON.stringify(record).replace(/"@(\d+)@"/, '$1');
      },
    };
  }
  return {
    next() {
      // Not ascending: with a list in the order of its ids, a test would not notice an unsorted snapshot.
      const mixed = Math.imul(made + seed * 7_919, 2_654_435_761) >>> 0;
      return makeNode(
        `${mixed.toString(16).padStart(8, '0')}-${String(seed).padStart(4, '0')}-${String(made).padStart(8, '0')}`,
      );
    },
    nextKeyless: () => makeNode(null),
  };
}

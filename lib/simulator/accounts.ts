// Responsible for the accounts, keys, regions and projects that the simulator knows. All of them follow from a few options.

/** One account, region and project. Fixed values that are easy to type and that cannot be mistaken for real ones. */
export const demoIdentity = {
  /** Also the name of the project. */
  region: 'cn-south-4',
  projectId: 'de300000000000000000000000000de3',
  ak: 'DEMOACCESSKEY0000000',
  sk: 'demo-secret-key-that-opens-nothing-00000',
  iamUser: 'demo-user',
  iamPassword: 'demo-password-that-opens-nothing',
  iamDomain: 'demo-domain',
};
export type Identity = typeof demoIdentity;

export interface Project {
  /** Unique in the simulator, from 0. */
  index: number;
  id: string;
  region: string;
  /** Unique in its account. The first one in a region has the name of the region, as IAM makes it. */
  name: string;
  /** How many nodes it has at the start. */
  nodes: number;
}

/** An account with one user, who has one key and may sign in. The user may see every project of the account. */
export interface Account {
  name: string;
  ak: string;
  sk: string;
  /** Null: the key is a permanent one. */
  securityToken: string | null;
  iamUser: string;
  iamPassword: string;
  iamDomain: string;
  projects: readonly Project[];
}

export interface AccountPlan extends Identity {
  securityToken: string | null;
  /** How many accounts. */
  accounts: number;
  /** How many projects each account has. */
  projects: number;
  /** The projects of an account are in these regions in turn. */
  regions: readonly string[];
  /** How many nodes the projects have, in turn. */
  nodes: readonly number[];
}

/** The first account has the identity of the plan, and its first project the id of the plan. The others are numbered. */
export function planAccounts(plan: AccountPlan): Account[] {
  const { securityToken, iamPassword } = plan;
  return Array.from({ length: plan.accounts }, (_, account) => {
    const isFirst = account === 0;
    const suffix = isFirst ? '' : `-${account + 1}`;
    const width = String(plan.accounts).length;
    return {
      name: `account-${String(account + 1).padStart(width, '0')}`,
      ak: isFirst ? plan.ak : numberAtEnd(demoIdentity.ak, account),
      sk: isFirst ? plan.sk : numberAtEnd(demoIdentity.sk, account),
      securityToken,
      iamUser: plan.iamUser + suffix,
      iamPassword,
      iamDomain: plan.iamDomain + suffix,
      projects: planProjects(plan, account),
    };
  });
}

function planProjects(plan: AccountPlan, account: number): Project[] {
  return Array.from({ length: plan.projects }, (_, number) => {
    const index = account * plan.projects + number;
    const region = plan.regions[number % plan.regions.length] as string;
    const inRegion = Math.floor(number / plan.regions.length);
    return {
      index,
      id: index === 0 ? plan.projectId : numberedId(account, number),
      region,
      // Names of further projects in a region begin with its name.
      name: inRegion === 0 ? region : `${region}_project-${inRegion + 1}`,
      nodes: plan.nodes[index % plan.nodes.length] as number,
    };
  });
}

/** 32 digits, with the number of the account and of its project, both of four digits, before the last three. */
function numberedId(account: number, project: number): string {
  const numbers = [account + 1, project + 1].map((number) => String(number).padStart(4, '0'));
  return `de3${numbers.join('').padStart(26, '0')}de3`;
}

function numberAtEnd(text: string, number: number): string {
  const digits = String(number);
  return text.slice(0, -digits.length) + digits;
}

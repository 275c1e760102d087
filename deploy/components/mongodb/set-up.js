// Makes the members of MONGODB_HOSTS one replica set and gives each service its user. Runs beside the first member
// at each start, over and over until it succeeds; what is done already is left alone, and a changed password is set.
// Before there are users, MongoDB lets in whoever comes from its own pod.
const { MONGODB_HOSTS, ROOT_PASSWORD, GATEWAY_PASSWORD, JOBS_PASSWORD, ACTIONS_PASSWORD, CONFIG_PASSWORD } =
  process.env;

let known = false;
try {
  known = db.getSiblingDB('admin').auth('root', ROOT_PASSWORD).ok === 1;
} catch (error) {
  if (error.codeName !== 'AuthenticationFailed') throw error;
}
const members = MONGODB_HOSTS.split(',').map((host, _id) => ({ _id, host }));
// Before there are users nobody may read the configuration, and a second initiation is refused.
try {
  if (!known) rs.initiate({ _id: 'rs0', members });
} catch (error) {
  if (error.codeName !== 'AlreadyInitialized') throw error;
}
if (!known) {
  while (!db.hello().isWritablePrimary) sleep(200);
  db.getSiblingDB('admin').createUser({ user: 'root', pwd: ROOT_PASSWORD, roles: ['root'] });
}

// Now there is a set and someone to sign in as; what follows is for its primary, wherever that is.
const password = encodeURIComponent(ROOT_PASSWORD);
const set = Mongo(`mongodb://root:${password}@${MONGODB_HOSTS}/?replicaSet=rs0&authSource=admin`);
const admin = set.getDB('admin');
for (const { host } of members) {
  const { config } = admin.runCommand({ replSetGetConfig: 1 });
  if (config.members.some((member) => member.host === host)) continue;
  // One at a time, as MongoDB wants it.
  const _id = Math.max(...config.members.map((member) => member._id)) + 1;
  const wider = { ...config, version: config.version + 1, members: [...config.members, { _id, host }] };
  admin.runCommand({ replSetReconfig: wider });
}

const esl = set.getDB('esl');
const passwords = {
  gateway: GATEWAY_PASSWORD,
  jobs: JOBS_PASSWORD,
  actions: ACTIONS_PASSWORD,
  config: CONFIG_PASSWORD,
};
for (const [user, pwd] of Object.entries(passwords)) {
  const roles = [{ role: 'readWrite', db: 'esl' }];
  if (esl.getUser(user)) esl.updateUser(user, { pwd, roles });
  else esl.createUser({ user, pwd, roles });
}
print('the replica set and its users are in place');

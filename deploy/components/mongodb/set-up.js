// Makes the members of MONGODB_HOSTS one replica set and gives each service its user. Runs beside the first member
// at each start, over and over until it succeeds; what is done already is left alone, and a changed password is set.
// Before there are users, MongoDB lets in whoever comes from its own pod.
const { MONGODB_HOSTS, ROOT_PASSWORD, GATEWAY_PASSWORD, JOBS_PASSWORD, ACTIONS_PASSWORD, CONFIG_PASSWORD } = process.env;

const root = () => db.getSiblingDB('admin').auth('root', ROOT_PASSWORD);
const signIn = () => {
  try {
    return root();
  } catch {
    return false;
  }
};
const members = MONGODB_HOSTS.split(',').map((host, _id) => ({ _id, host }));
let known = signIn();

const status = () => {
  try {
    return rs.conf();
  } catch (error) {
    if (error.codeName === 'NotYetInitialized') return null;
    if (known) throw error;
    return {};
  }
};
const current = status();
if (!current) rs.initiate({ _id: 'rs0', members });
while (!db.hello().secondary && !db.hello().isWritablePrimary) sleep(200);

// Only the primary can be told of members and users. Another member that is primary has been told already.
if (db.hello().primary && !db.hello().isWritablePrimary && known) quit(0);
while (!db.hello().isWritablePrimary) sleep(200);

const admin = db.getSiblingDB('admin');
if (!known) {
  admin.createUser({ user: 'root', pwd: ROOT_PASSWORD, roles: ['root'] });
  known = root();
}

// Members are added one at a time, as MongoDB wants it.
for (const { host } of members) {
  if (!rs.conf().members.some((member) => member.host === host)) rs.add(host);
}

const esl = db.getSiblingDB('esl');
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

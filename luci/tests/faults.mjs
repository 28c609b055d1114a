// Tells whose a fault on a page is. LuCI's own pages have some: its login page, for one, throws on the master branch.

// Our files, as they stand in the frames of a stack.
const OURS = /\/luci-static\/resources\/(?:sstp\/|protocol\/sstp\.js|view\/sstp\/|view\/status\/include\/35_sstp\.js)/;

// LuCI's own is a fault before somebody has logged in, when no file of ours is loaded, and none of ours is in its stack. After
// that a page of LuCI's may fail because of what ours did, and it counts.
export function isOurs(error, loggedIn) {
	return loggedIn || OURS.test(error.stack ?? '');
}

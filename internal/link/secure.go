package link

import "sync"

// Secure reports whether this process runs under secure execution (AT_SECURE, see getauxval(3)
// and ld.so(8)): its file is set-uid, set-gid or has capabilities, so it may have privileges
// that the user who has started it hasn't. The environment is that user's, and nothing in it
// may decide what the process does.
var Secure = sync.OnceValue(isSecure)

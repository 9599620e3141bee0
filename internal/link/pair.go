package link

import "os"

// Supported reports whether this platform can share sockets between processes
// as rota does it. Where it can't, Listen is net.Listen.
const Supported = supported

// Pair makes both ends of a link: the master's, and the worker's, which is the
// only descriptor that passes through exec. The caller closes both; the worker's
// once the worker has been started.
func Pair() (master *Link, worker *os.File, err error) { return pair() }

package link

import "os"

// Supported reports whether this platform can share sockets between processes as rota does.
// Where it can't, rota.Listen is net.Listen.
const Supported = supported

// Pair makes both ends of a link. The worker's end is passed on by exec. The caller closes
// both: worker as soon as the worker process has been started.
func Pair() (master *Link, worker *os.File, err error) { return pair() }

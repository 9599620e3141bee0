// Package worker is a worker's view of itself: its place in the rota, its messages, and
// its graceful shutdown. It is Node's cluster.worker.
//
// A process is a worker if a master has started it:
//
//	self := worker.Self()
//	log.SetPrefix(fmt.Sprintf("worker %d: ", self.ID()))
//	self.OnDisconnect(func(ctx context.Context) error { return db.Flush(ctx) })
//
// In every other process, as with ROTA=off and in a test, [Self] returns nil. A nil *Worker
// can be used: it is a worker alone, which nobody asks to leave. Its methods say what they
// do then, where that isn't nothing.
//
// It is cluster.worker, cluster.isWorker, process.send and process.on("message") of Node's
// cluster module; docs/node.md has a table of all names.
//
// Sockets come from rota.Listen. A worker drains and leaves when its master asks for it
// or is gone; see [Worker.Disconnect] for the order.
package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/workerproc"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/status"
)

// Errors of a Worker's methods. errors.Is finds them.
var (
	// ErrDisconnected says that the worker has disconnected, or that its master is gone.
	ErrDisconnected = ipc.ErrDisconnected

	// ErrQueueFull says that the master doesn't read fast enough.
	ErrQueueFull = ipc.ErrQueueFull

	// ErrNoSuccessor says that no other worker takes a connection.
	ErrNoSuccessor = handover.ErrNoReceiver
)

// Worker is this process as a member of a rota. All methods may be called from any
// goroutine, and of a nil *Worker too.
type Worker struct{ p *workerproc.Worker }

// self is the one worker that a process can be.
var self = newSelf()

func newSelf() *Worker {
	if p := workerproc.Self(); p != nil {
		return &Worker{p}
	}
	return nil
}

// Self returns this process as a worker, or nil if no master has started it: then its
// methods are those of a worker alone. It is Node's cluster.worker.
func Self() *Worker { return self }

// ID returns the worker's id: 1, 2, 3 …, never used again in the life of a master.
// Without a master it is 0.
func (w *Worker) ID() int {
	if w == nil {
		return 0
	}
	return w.p.ID()
}

// Slot returns the worker's place in the rota, from 0. Its successor gets the same slot.
// Without a master it is 0.
func (w *Worker) Slot() int {
	if w == nil {
		return 0
	}
	return w.p.Slot()
}

// Generation returns the number of the reload that has started this worker.
// Without a master it is 0.
func (w *Worker) Generation() int {
	if w == nil {
		return 0
	}
	return w.p.Generation()
}

// Ready tells the master that this worker can take over: with Config.WaitReady the master
// waits for it, and otherwise it says that the worker will accept on no further address of
// its predecessor. Called again it does nothing. It fails with ErrDisconnected.
func (w *Worker) Ready() error {
	if w == nil {
		return nil
	}
	return w.p.Ready()
}

// Send sends v as JSON, and handles with it, to the master, and returns at once. The
// master gets the message at Events.Message, after all that was sent before. What is sent
// before the worker disconnects is delivered; if the process exits without disconnecting,
// the last messages may be lost.
//
// Send fails with ErrDisconnected if the link is closed, with ErrQueueFull, with
// ipc.ErrTooLarge, with ipc.ErrHandle, and if v can't be encoded as JSON. If it fails,
// nothing was sent.
// Without a master it fails with [ErrDisconnected].
func (w *Worker) Send(v any, handles ...ipc.Handle) error {
	if w == nil {
		return alone("send")
	}
	return w.p.Send(v, handles...)
}

// Broadcast sends v as JSON to the other workers of this worker's master, and returns at once.
// They get it at [Worker.OnMessage], with this worker's id in Message.From; the sender doesn't
// get it. It reaches every worker that is running: one that has not called OnMessage yet keeps
// it for that, and one that drains gets it too, until it leaves. During an upgrade of the
// master the workers of the other master don't get it.
//
// Broadcasts of one worker arrive in the order in which they were sent, and after what it has
// sent to the master before. Two broadcasts arrive in the same order everywhere. A worker that
// doesn't read fast enough misses broadcasts: the master logs how many, and counts them in its
// Exit.Undelivered.
//
// Broadcast fails as [Worker.Send] does: with ErrDisconnected, with ErrQueueFull, with
// ipc.ErrTooLarge, and if v can't be encoded as JSON. Then nothing was sent.
// Without a master nobody gets it, and that is no error.
func (w *Worker) Broadcast(v any) error {
	if w == nil {
		return nil
	}
	return w.p.Broadcast(v)
}

// Lead calls f while this worker holds the lease of this name, and returns what f returns: for
// work of which there is one in the whole rota, such as scheduled jobs and migrations.
//
//	go worker.Self().Lead(ctx, "reports", func(ctx context.Context) error {
//		for {
//			select {
//			case <-time.After(time.Hour):
//				sendReports(ctx)
//			case <-ctx.Done():
//				return nil
//			}
//		}
//	})
//
// A lease has one holder at a time, never two: from the call of f until f has returned, or
// the process has ended. That holds through crashes, reloads and upgrades of the master. Lead
// waits until nobody else holds the lease; of several that wait, one of the newest generation
// gets it next, and of these the first that has asked. Each name, of at most 256 bytes, is a
// lease of its own, also for two goroutines of one worker. Processes that f has started are not
// waited for. A master that was killed and is started again knows who held its leases only if systemd or "rota keep"
// has kept what the killed one had.
//
// f's context ends with ctx, and when this worker begins to drain. f should return then, as the
// successor waits for it; the drain waits for f, within the grace. A worker that is stopped or
// hangs keeps the lease: see [Worker.OnHealth].
//
// Lead fails without having called f with ErrDisconnected if the worker drains or its master is
// gone, with context.Cause(ctx) if ctx ends first, and with EMFILE if more than 64 calls of this
// worker hold leases or wait for them, or the name is too long.
//
// Without a master it holds for the goroutines of this process. That is so before Listen in the process that becomes the master
// too, also in an upgrade: ask rota.IsWorker there.
func (w *Worker) Lead(ctx context.Context, name string, f func(context.Context) error) error {
	if w == nil {
		return leases.lead(ctx, name, f)
	}
	return w.p.Lead(ctx, name, f)
}

// OnMessage has f called for every message of the master, and every broadcast of another
// worker, one at a time, in order. f may call anything. Messages that came before the first OnMessage are kept for it. If there
// are several functions, each gets every message, and handles are shared between them. A
// panic of f is reported on standard error.
//
// A worker that drains waits, within the grace, until f has handled the messages that
// came before. If messages wait and main has not called OnMessage yet, it waits for that
// too, but no longer than a second after the first Accept, ReadFrom or [Worker.Ready]. How
// many messages the worker leaves with is reported on standard error.
//
// Work that takes long belongs on a goroutine of its own: when about 16
// megabytes of messages wait, the link to the master is not read until some are handled.
func (w *Worker) OnMessage(f func(ipc.Message)) {
	if w != nil {
		w.p.OnMessage(f)
	}
}

// OnHealth has f called every master.Config.HealthInterval. f returns nil while the worker
// is healthy. A worker that returns an error, or doesn't answer, master.Config.HealthFailures
// times in a row is replaced; its successor is ready first. The context ends when the
// master stops waiting for the answer. All functions are called one after the other; the
// next check waits for the end of the last. A worker that never calls OnHealth is not
// checked.
func (w *Worker) OnHealth(f func(context.Context) error) {
	if w != nil {
		w.p.OnHealth(f)
	}
}

// Report tells the master that this worker is not well, or with nil that it is well again, and returns at
// once. In a reload that has started this worker an error ends the reload: it is rolled back, and fails with
// a *reload.Error that wraps reload.ErrReported and has err's text. So a release that finds out on trial that it
// can't work, with real requests, says so, best with canaries (master.Config.Canary). At any other time the error
// has no effect but a line in the master's log, at most one a minute for a worker, and is shown in
// status.Worker.Fault. A worker that is to be replaced returns the error from a function of [Worker.OnHealth].
func (w *Worker) Report(err error) {
	if w != nil {
		w.p.Report(err)
	}
}

// Disconnect makes the worker drain and leave, and returns at once. The order is the same
// whether this method, the master, a reload or SIGTERM asks for it:
//
//  1. The worker closes its copies of the listening sockets. Connections that wait in
//     their queues go to the other workers.
//  2. The channel of [Worker.Disconnecting] is closed. The functions of
//     [Worker.OnDisconnect] are called as soon as no HTTP/1 connection is expected to
//     bring another request, which srv.Shutdown would drop: at once if there is none, and
//     at most IdleGrace later.
//  3. Accept blocks while accepted connections are open, so that a main which ends when
//     http.Serve returns doesn't cut them. HTTP/1 clients get Connection: close (see
//     rota.ListenConfig.Opaque).
//  4. When the last connection has closed and the functions have returned, or when the
//     grace has ended and the remaining connections have been closed, everything sent to
//     the master is delivered, the link is closed, the channel of [Worker.Done] is closed,
//     and Accept returns net.ErrClosed.
//
// Then main returns and the process exits, or the master ends the process. Calling
// Disconnect again does nothing. It fails with ErrDisconnected if the link is closed.
// Without a master it fails with [ErrDisconnected].
func (w *Worker) Disconnect() error {
	if w == nil {
		return alone("disconnect")
	}
	return w.p.Disconnect()
}

// Kill is Disconnect, and asks the master to start no successor. It is Node's
// worker.kill, called in the worker.
// Without a master it fails with [ErrDisconnected].
func (w *Worker) Kill() error {
	if w == nil {
		return alone("kill")
	}
	return w.p.Kill()
}

// OnTicketKeys calls f with the keys of TLS session tickets that all workers of the master
// share: at once if they are known, as they are when rota.Listen has returned, and again
// whenever the master renews them, once a day. The first key is for new tickets. f must not
// block. With
//
//	worker.Self().OnTicketKeys(config.SetSessionTicketKeys)
//
// clients resume their sessions at every worker, and after reloads and upgrades. Package
// rotahttp does that by itself. http.Server.ServeTLS copies its TLSConfig, and the copy
// keeps the keys of that moment: use rotahttp.ServeTLS, or a listener of tls.NewListener.
func (w *Worker) OnTicketKeys(f func(keys [][32]byte)) {
	if w != nil {
		w.p.OnTicketKeys(f)
	}
}

// Disconnecting returns a channel that is closed when the worker begins to drain.
// Without a master it is nil.
func (w *Worker) Disconnecting() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.p.Disconnecting()
}

// OnDisconnect has f called when the worker drains, at step 2 of Disconnect. This is the
// place for srv.Shutdown or grpcServer.GracefulStop. Each f runs on its own goroutine,
// with a context that ends with the grace. The worker stays until all have returned or the
// grace has ended. A function that is added after the others were called is called at
// once. An error of f is reported on standard error.
func (w *Worker) OnDisconnect(f func(context.Context) error) {
	if w != nil {
		w.p.OnDisconnect(f)
	}
}

// CanHandOver returns a channel that is closed when the worker leaves and another worker takes
// its connections: from then on [Worker.HandOver] may succeed. It is never closed in a stop, and
// only on Linux.
// Without a master it is nil.
func (w *Worker) CanHandOver() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.p.CanHandOver()
}

// HandOver gives c to the worker that takes the connections of this one: its successor in
// the slot, or else another worker that is ready. state is what that one has to know of c, and
// is sent as JSON, of at most ipc.MaxMessage bytes. The bytes that the program has read from c and
// not handled are part of it; what the program has not read yet goes with c. The function of
// [Worker.OnHandOver] in the other worker gets both.
//
// c is a connection that Accept of a rota listener has returned, whatever its Opaque and Stay
// are, or one of OnHandOver. No other goroutine may read from c meanwhile: what it reads, the other
// worker misses. A reader is stopped by c.SetReadDeadline. A Write that begins meanwhile waits.
//
// If HandOver succeeds, c is closed in this process, where all later calls return net.ErrClosed, and
// the drain doesn't wait for it any more. If it fails, c is as it was, and the program's. It fails with
// [ErrNoSuccessor] before [Worker.CanHandOver], in a stop, and if the other worker doesn't take c; with
// ipc.ErrTooLarge; and with ipc.ErrHandle if c is no such connection: a tls.Conn, one of AcceptTCP, or of a
// listener whose socket other workers don't have (Exclusive, rota.Track). It fails too if state can't be encoded
// as JSON, if another goroutine is writing to c, and with net.ErrClosed. It blocks for about a second at most
// for each connection that is handed over before it.
// Without a master it fails with [ErrNoSuccessor].
func (w *Worker) HandOver(c net.Conn, state any) error {
	if w == nil {
		return fmt.Errorf("hand over: %w: this process has no master", ErrNoSuccessor)
	}
	return w.p.HandOver(c, state)
}

// OnHandOver has f called for each connection that the program of another worker hands over, with
// the state as the message. Each call is on a goroutine of its own, and f owns the connection, which is
// like one of Accept: counted, drained, with its RemoteAddr and the options of its socket, and without
// deadlines. If f panics, it is closed, and standard error says so. A later function replaces f.
//
// OnHandOver belongs before the first Accept. Connections that come before it are kept for it,
// 1024 at most with 16 megabytes of states; more are refused, and stay with the other worker. A program that
// has not called it a second after its first Accept, ReadFrom or [Worker.Ready] is taken for one that won't:
// connections are refused, and those that were kept are closed, which standard error says. A worker
// that leaves before that hands over what it has kept.
//
// f may be called while the worker drains: a chain of reloads passes a connection on as soon
// as it has come.
func (w *Worker) OnHandOver(f func(net.Conn, ipc.Message)) {
	if w != nil {
		w.p.OnHandOver(f)
	}
}

// OnHandOverState has f called when the worker's successor in the slot calls [Worker.Inherit]: f
// writes what the successor is to know, such as a cache. That is before the successor is
// ready: this worker goes on serving, and what changes afterwards is not part of it. ctx ends after
// 5 seconds, and then writes fail. An error of f, or a panic, is reported on standard error, and
// the successor reads io.ErrUnexpectedEOF; it has no other effect. A worker that leaves waits until f has returned, for these 5
// seconds. f is called once at a time, on
// a goroutine of its own, and not before a reload, a roll-back or an upgrade asks. A later function
// replaces f.
func (w *Worker) OnHandOverState(f func(ctx context.Context, to io.Writer) error) {
	if w != nil {
		w.p.OnHandOverState(f)
	}
}

// Inherit returns what this worker's predecessor in the slot writes in the function of its
// [Worker.OnHandOverState]. The caller closes it. It belongs before the first Accept: the
// worker is not ready before. The bytes come from the other process directly, as they are written: none
// waits for longer than 10 ms for others that go along.
//
// Inherit returns io.EOF if there is nothing: at a first start, after a crash, after Scale, if the predecessor
// has no such function, and if Inherit was called before. It waits for the first bytes until ctx ends, or 5 seconds
// after the call; reads end at the deadline of ctx or then too, with os.ErrDeadlineExceeded, and not when ctx is canceled: that is what Close is for. If the predecessor
// fails or dies, a read, also the first, returns io.ErrUnexpectedEOF: what was read is not whole. A program
// goes on without it then. Inherit fails with [ErrDisconnected].
//
// The predecessor may be of another version of the program: begin with a number of the format.
func (w *Worker) Inherit(ctx context.Context) (io.ReadCloser, error) {
	if w == nil {
		return nil, io.EOF
	}
	return w.p.Inherit(ctx)
}

// SharedFile returns a file in memory that all workers of the rota share, and the master, which keeps it: what is
// in it outlives reloads, crashes of workers, and upgrades of the master. It ends with the service, and when
// the master is killed, unless systemd or "rota keep" has kept it. The first call with a name makes the file, of size bytes that are zero;
// its size never changes. So processes may map it, and count or keep tables in it.
//
// Who has the file can change all of it: a program that shares it reads it with care, also because another
// release may have written it. A name is of at most 256 bytes, a file of at most 256 megabytes, and there are
// 16 files at most. The caller closes the file. SharedFile belongs before the first Accept: a file that is made
// during an upgrade of the master may be another one for the new workers, and with Config.User, one that is first asked for
// later than a second after a worker has accepted is kept only as long as a worker lives that has asked for it, and two seconds.
//
// SharedFile fails with syscall.EINVAL and syscall.EMFILE, with [ErrDisconnected], and with
// context.DeadlineExceeded if the master, of an older version, doesn't answer within 5 seconds.
func (w *Worker) SharedFile(name string, size int64) (*os.File, error) {
	if w == nil {
		return nil, alone("shared file")
	}
	if size < 1 {
		return nil, fmt.Errorf("shared file %q: %w", name, syscall.EINVAL)
	}
	return w.p.SharedFile(name, size)
}

// SharedQueue returns a queue of datagrams that all workers of the rota share: what one of them writes to the file,
// another reads from it, whole and in order. Only processes that have the file can write or read. It is how
// workers send each other what would be too much for [Worker.Broadcast]; package rotaquic passes packets on by it.
// The first call with a name makes the queue. It is kept, with what is in it, as the files of [Worker.SharedFile] are.
//
// A write waits while the queue is full: it has the size of a socket's send buffer, which SO_SNDBUF sets. The file
// has deadlines, and a SyscallConn; its Fd would make it blocking for all workers. A datagram that was read is
// gone, also if its reader dies. There are 512 queues at most, and a shared file can't have the name of one.
//
// It fails as SharedFile does, with syscall.EINVAL too if the master is of an older version. The caller closes the file.
func (w *Worker) SharedQueue(name string) (*os.File, error) {
	if w == nil {
		return nil, alone("shared queue")
	}
	return w.p.SharedFile(name, 0)
}

// Status returns what the master knows, with what the workers have counted by now: see
// (*master.Master).Count. It fails with [ErrDisconnected], and with ctx's error: a master of an older version
// never answers.
func (w *Worker) Status(ctx context.Context) (s status.Status, err error) {
	if w == nil {
		return s, alone("status")
	}
	text, err := w.p.Status(ctx)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// OnRequest has f called after each HTTP request that package rotahttp serves from now on, with the status of the answer
// and how long the handler took. The status is 0 if the handler has panicked before it has answered, and 101 if it has taken the
// connection. f is called on the goroutine of the handler, before package net/http sends what is left of the answer: it should be
// quick. All functions that were given to OnRequest are called.
func (w *Worker) OnRequest(f func(status int, took time.Duration)) {
	if w != nil {
		w.p.Observe(f)
	}
}

// OnLeave has f called when the worker has drained: no connection is open, the functions of OnDisconnect have
// returned, and nothing has been told to the master yet. It is the place for last values and
// for flushing what requests have written. The functions are called one after the other, in their order; the
// worker leaves when they have returned, or when the grace has ended, and a second at the least. A panic is reported
// on standard error. f is not called in a process that crashes. What is added after the drain is not called.
func (w *Worker) OnLeave(f func()) {
	if w != nil {
		w.p.OnLeave(f)
	}
}

// Done returns a channel that is closed when the worker has left: its connections are
// closed, the functions of OnDisconnect have returned, and the link is closed. Where connections have moved to another worker,
// it is closed 100 ms later, or at the end of the grace: the end of the process would be in the way of their next requests.
// Without a master it is nil.
func (w *Worker) Done() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.p.Done()
}

// IsConnected reports whether the link to the master is open.
func (w *Worker) IsConnected() bool {
	if w == nil {
		return false
	}
	return w.p.IsConnected()
}

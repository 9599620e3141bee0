//go:build linux

package runner

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/rota-go/rota/cmd/rota/internal/launch"
	"github.com/rota-go/rota/worker"
)

// program is the one that runs.
type program struct {
	process *os.Process
	sockets []socket
	notify  *notifySocket // nil if its readiness is seen otherwise
	ended   chan struct{} // closed when it has ended
	state   *os.ProcessState
}

// start starts the program with the sockets as descriptors from launch.FirstFD on.
func start(o Options, sockets []socket) (p *program, err error) {
	p = &program{sockets: sockets, ended: make(chan struct{})}
	l := &launch.Program{Command: o.Command, Env: environment(os.Environ(), sockets), OwnPID: []string{"LISTEN_PID"}, Hangup: true}
	if o.Ready.kind == notified {
		if p.notify, err = listenNotify(); err != nil {
			return nil, err
		}
		l.Env = append(l.Env, "NOTIFY_SOCKET="+p.notify.path)
	}
	l.Sys = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	for _, s := range sockets {
		l.Files = append(l.Files, uintptr(s.fd))
	}
	started := make(chan error)
	go p.run(l, started)
	return p, <-started
}

// run starts the program and waits for its end. The kernel kills the program when the thread
// that has started it ends, as it does if this worker is killed: nobody else would end the
// program. So the thread stays.
func (p *program) run(l *launch.Program, started chan<- error) {
	runtime.LockOSThread()
	pid, err := l.Start()
	if err == nil {
		p.process, err = os.FindProcess(pid)
	}
	if err != nil {
		p.notify.close()
		started <- err
		return
	}
	started <- nil
	p.state, _ = p.process.Wait() // a child of this process, and nobody else waits for it
	p.kill()
	p.notify.close() // here, as this process may exit as soon as the program has ended
	close(p.ended)
}

// kill kills the program, and what it has started in its process group.
func (p *program) kill() { _ = syscall.Kill(-p.process.Pid, syscall.SIGKILL) }

// signal sends s to the program, unless it has ended.
func (p *program) signal(s syscall.Signal) { _ = p.process.Signal(s) }

// status returns the exit status of the program, which has ended.
func (p *program) status() int {
	if p.state == nil {
		return 1
	}
	if s, ok := p.state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return p.state.ExitCode()
}

// environment returns env with what says which descriptors are the sockets: as systemd
// (LISTEN_FDS), Einhorn (EINHORN_FDS) and Server::Starter (SERVER_STARTER_PORT) do. LISTEN_PID
// is added by package launch.
func environment(env []string, sockets []socket) []string {
	var fds, ports, names []string
	for i, s := range sockets {
		fd := strconv.Itoa(launch.FirstFD + i)
		fds = append(fds, fd)
		ports = append(ports, s.name+"="+fd)
		names = append(names, fmt.Sprintf("socket%d", i))
		env = append(env, fmt.Sprintf("EINHORN_FD_%d=%s", i, fd))
	}
	return append(env,
		"LISTEN_FDS="+strconv.Itoa(len(sockets)),
		"LISTEN_FDNAMES="+strings.Join(names, ":"),
		"EINHORN_FDS="+strings.Join(fds, " "),
		"EINHORN_FD_COUNT="+strconv.Itoa(len(sockets)),
		"EINHORN_MASTER_PID="+strconv.Itoa(os.Getpid()),
		"SERVER_STARTER_PORT="+strings.Join(ports, ";"),
		"SERVER_STARTER_GENERATION="+strconv.Itoa(worker.Self().Generation()),
		"ROTA_SLOT="+strconv.Itoa(worker.Self().Slot()),
	)
}

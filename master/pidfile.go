package master

import "github.com/rota-go/rota/internal/process"

// publishPID writes Config.PIDFile: from now on this process is the master that the
// outside world sends signals to. A failure is logged.
func (l *loop) publishPID() {
	path := l.cfg.PIDFile
	if path == "" {
		return
	}
	if err := process.WritePIDFile(path); err != nil {
		l.log.Error("rota: PID file can't be written", "err", err)
		return
	}
	l.pidFile = path
}

// removePIDFile removes the PID file that publishPID has written, unless another master
// has replaced it.
func (l *loop) removePIDFile() {
	if l.pidFile != "" {
		process.RemovePIDFile(l.pidFile)
		l.pidFile = ""
	}
}

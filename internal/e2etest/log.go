//go:build linux

package e2etest

import (
	"fmt"
	"regexp"
	"strconv"
)

// Line is a part of a log line of the master. All those that tests wait for or count are
// in this file, so that rewording a line is a change in one place.
type Line string

// What the master logs.
const (
	MasterStarts     Line = "rota: master"
	WorkerReady      Line = "worker ready"
	WorkerLeft       Line = "worker left"
	WorkerDied       Line = "worker died"
	WorkerForced     Line = "worker does not end"
	LeftWithFatal    Line = `exit="as asked (exit status 1)"`
	WorkerReplaced   Line = "worker is to be replaced"
	WorkerUnwell     Line = "worker is not well"
	WorkerReports    Line = "worker says that it is not well"
	WorkerTooLarge   Line = "worker uses too much memory"
	ReloadStarts     Line = "rota: reload generation="
	ReloadDone       Line = "rota: reload done"
	CanariesUnjudged Line = "rota: canaries not judged"
	ReloadFailed     Line = "rota: reload failed"
	ReloadSuperseded Line = "rota: reload superseded"
	ReloadWaits      Line = "rota: reload waits"
	UpgradeStarts    Line = "rota: upgrade by="
	SuccessorStarted Line = "new master is there"
	TookOver         Line = "master took over"
	UpgradeFailed    Line = "upgrade failed"
	StopStarts       Line = "rota: stop"
	StopDelayed      Line = "rota: told to stop, serves on"
	StopsAgain       Line = "rota: told to stop again"
	NoReload         Line = "rota: no reload"
	NoUpgrade        Line = "rota: no upgrade"
	Scales           Line = "rota: scale"
	JobOfATerminal   Line = "rota: in the background of a terminal"
	TerminalClosed   Line = "rota: terminal closed"
	WorkerStarted    Line = "rota: worker started"
	WorkerGreets     Line = "rota: worker says hello"
	WorkerAsks       Line = "rota: worker asks for a socket"
	WorkerHas        Line = "rota: worker has a socket"
	WorkerAccepts    Line = "rota: worker accepts"
	WorkerToLeave    Line = "rota: worker is to leave"
	WorkerDrains     Line = "rota: worker drains"
	WorkerUnlinked   Line = "rota: link of worker closed"
	WorkerExited     Line = "rota: process of worker ended"
	GoesOn           Line = "rota: the last master has died"
	HealthNotServed  Line = "rota: health isn't served"
	KeptIsOfNoUse    Line = "rota: what the last master has left can't be used"
)

// Reasons that follow in a line of the master, and what programs print when they fail.
const (
	BecauseOfRequests Line = "why=requests"
	WorseAnswers      Line = "answers more requests with a status of 5xx"
	NotReadyInTime    Line = "not ready in time"
	NotReadyForNext   Line = "not ready when a newer reload was requested"
	SuccessorExited   Line = "exited"
	NoSignOfLife      Line = "no answer after it was ready"
	NoHealthAnswer    Line = "no answer"
	KilledBySignal    Line = `exit="signal: killed"`
	EndedByTERM       Line = `exit="signal: terminated"`
	NoAddress         Line = "on=[]"
	IsPID1            Line = "this process is PID 1"
	AddressInUse      Line = "address already in use"
	NotPermitted      Line = "operation not permitted"
	WorkerNotStarted  Line = "start"
	NotExecutable     Line = "exec format error"
	PermissionDenied  Line = "permission denied"
	NoSuchFile        Line = "no such file"
	TextFileBusy      Line = "text file busy"
)

// DiedWithStatus is the reason of a reload that failed because a worker has exited.
func DiedWithStatus(status int) Line { return Line(fmt.Sprintf("died: exit status %d", status)) }

// DiedBeforeReady is the reason of an upgrade that failed because a worker of the new
// master has exited.
func DiedBeforeReady(status int) Line {
	return Line(fmt.Sprintf("died before it was ready: exit status %d", status))
}

// NoWorkingDirectory is the reason of an upgrade that failed because the working directory
// was removed.
func NoWorkingDirectory(dir string) Line { return Line("working directory: stat " + dir) }

// OfWorker is line where it is about the worker with that id.
func (l Line) OfWorker(id int) Line { return Line(fmt.Sprintf("%s worker=%d ", l, id)) }

// ReloadOf is the line at the start of the reload to a generation.
func ReloadOf(generation int) Line { return ReloadStarts + Line(strconv.Itoa(generation)) }

// BySignal is a part of the lines about a change that a signal has asked for.
func BySignal(name string) Line { return Line(fmt.Sprintf("by=%q", "signal "+name)) }

// OfGeneration is a part of the lines about the workers of a generation.
func OfGeneration(n int) Line { return Line(fmt.Sprintf("generation=%d", n)) }

// InSlot is a part of the line of a worker that is ready.
func InSlot(slot, generation int) Line {
	return Line(fmt.Sprintf("slot=%d generation=%d", slot, generation))
}

// ListensOn is a part of the line of a worker that is ready, and whose first socket has
// that address.
func ListensOn(addr string) Line { return Line("on=[" + addr + "]") }

// HealthFailures is a part of a line about a worker that is not well.
func HealthFailures(n int) Line { return Line(fmt.Sprintf("times=%d", n)) }

// UnwellPID is a part of each line about a worker that is not well.
func UnwellPID(pid int) Line { return Line(fmt.Sprintf("pid=%d times=", pid)) }

// PlainReady is what a server without rota prints so that Addr and Start know it.
func PlainReady(pid int, addr string) string {
	return fmt.Sprintf("%s worker=0 pid=%d on=[%s]", WorkerReady, pid, addr)
}

var (
	addrPattern     = regexp.MustCompile(string(WorkerReady) + `[ "].*on"?[=:]"?\["?([^ \]"]+)`)
	afterPattern    = regexp.MustCompile(string(WorkerReady) + ` .* after=(\S+)`)
	readyPattern    = regexp.MustCompile(string(WorkerReady) + `.* pid=(\d+)`)
	tookOverPattern = regexp.MustCompile(string(TookOver) + ` pid=(\d+)`)
)

// WaitLog waits for n lines of the master that contain line.
func (p *Process) WaitLog(line Line, n int) {
	p.t.Helper()
	p.WaitOutput(string(line), n)
}

// Logged returns how many lines of the master contain line so far.
func (p *Process) Logged(line Line) int { return p.Log.Count(string(line)) }

// LoggedTogether reports whether a line of the master contains all lines.
func (p *Process) LoggedTogether(lines ...Line) bool {
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = string(line)
	}
	return p.Log.HasLine(texts...)
}

// ReadyPIDs returns the pids of the workers that have become ready, in order.
func (p *Process) ReadyPIDs() (pids []int) {
	for _, m := range readyPattern.FindAllStringSubmatch(p.Log.String(), -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	return pids
}

// StartTimes returns how long each worker took from fork to its first Accept, as the
// master has logged it.
func (p *Process) StartTimes() (all []string) {
	for _, m := range afterPattern.FindAllStringSubmatch(p.Log.String(), -1) {
		all = append(all, m[1])
	}
	return all
}

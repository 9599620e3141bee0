// Command rota shows and controls a running rota: a server that uses rota.Listen, by its
// control socket (docs/control.md in the library).
//
//	rota status                  what runs
//	rota reload                  replace the workers, slot by slot
//	rota restart 2               replace the worker of slot 2
//	rota history                 the last changes
//
// "rota help" lists the commands and their flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/controlclient"
)

// The exit statuses.
const (
	done     = 0
	failed   = 1 // and rolled back: everything is as before
	usage    = 2
	noMaster = 3
	denied   = 4
	running  = 5 // still, when the time-out was over
)

const help = `usage: rota COMMAND [flags] [argument]

  status  [-json]               what runs: workers, sockets, the last reload
  top                           workers and sockets, live; without a terminal once
  reload  [-wait=false]         replace the workers, one after the other
  promote                       end the trial of the canaries of the reload under way
  abort                         roll the reload under way back
  rollback [-wait=false]        reload to the release before, also if its file is gone
  upgrade [-wait=false]         replace the master, and its workers
  scale   N                     keep N workers
  restart [-wait=false] SLOT    replace the worker of a slot; "-id ID" one worker
  stop    [-wait=false]         end the server gracefully
  drain                         balancers send new clients elsewhere; all is served on
  undrain                       no longer
  history [-json]               the last changes: when, by whom, with what result
  run     [flags] -- COMMAND    a rota for any program: see rota run -help
  watch                         the status as a line of JSON, now and after each change
  help                          this text

Flags of every command:
  -socket PATH   the control socket of the master
  -pid PID       the master's pid, to find its socket by
  -timeout D     how long to wait for the result; what was asked for goes on

Without -socket and -pid the socket is that of ROTA_CONTROL, or rota.sock in
RUNTIME_DIRECTORY.

Exit status: 0 done, 1 failed and everything as before, 2 wrong usage, 3 no such
master, 4 not permitted, 5 not done at the time-out.
`

func main() {
	mustExecProgram()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}

// call is one call of the command.
type call struct {
	request control.Request
	socket  string
	pid     int
	timeout time.Duration
	json    bool
	history bool
	top     bool

	stdout, stderr io.Writer
}

// run carries out the command, and returns the exit status.
func run(args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, help)
		return usage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		fmt.Fprint(stdout, help)
		return done
	}
	if args[0] == "run" {
		return runProgram(args[1:], stdout, stderr)
	}
	c, err := parse(args[0], args[1:])
	if err != nil {
		fmt.Fprintf(stderr, "rota: %v\n", err)
		return usage
	}
	c.stdout, c.stderr = stdout, stderr
	path, err := controlclient.Find(c.socket, c.pid, getenv)
	if err != nil {
		return c.fail(err)
	}
	if c.top {
		return c.runTop(path)
	}
	return c.do(path)
}

// parse reads a command, its flags and its argument.
func parse(command string, args []string) (c call, err error) {
	c.request.Do = control.Do(command)
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&c.socket, "socket", "", "")
	fs.IntVar(&c.pid, "pid", 0, "")
	fs.DurationVar(&c.timeout, "timeout", 0, "")
	wait := true
	switch command {
	case "status":
		fs.BoolVar(&c.json, "json", false, "")
	case "history":
		fs.BoolVar(&c.json, "json", false, "")
		c.request.Do, c.history = control.Status, true
	case "reload", "rollback", "upgrade", "stop":
		fs.BoolVar(&wait, "wait", true, "")
	case "restart":
		fs.BoolVar(&wait, "wait", true, "")
		fs.IntVar(&c.request.Worker, "id", 0, "")
	case "top":
		c.request.Do, c.top = control.Status, true
	case "scale", "watch", "promote", "abort", "drain", "undrain":
	default:
		return c, fmt.Errorf("no command %q; see rota help", command)
	}
	if err := fs.Parse(args); err != nil {
		return c, fmt.Errorf("%s: %w", command, err)
	}
	c.request.NoWait = !wait
	return c, c.argument(fs.Args())
}

// argument reads the argument of a command.
func (c *call) argument(args []string) error {
	var to *int
	switch {
	case c.request.Do == control.Scale:
		to = &c.request.Workers
	case c.request.Do == control.Restart && c.request.Worker == 0:
		to = &c.request.Slot
	case len(args) > 0:
		return fmt.Errorf("%s: unexpected argument %q", c.request.Do, args[0])
	default:
		return nil
	}
	if len(args) != 1 {
		return fmt.Errorf("%s: want one number", c.request.Do)
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 || n == 0 && c.request.Do == control.Scale {
		return fmt.Errorf("%s: %q is not a number of it", c.request.Do, args[0])
	}
	*to = n
	return nil
}

// do makes the request and prints the answer.
func (c *call) do(path string) int {
	ctx, cancel := c.context()
	defer cancel()
	p := newPrinter(c)
	result, err := controlclient.Do(ctx, path, c.request, p.reply)
	p.close()
	if err != nil && c.request.Do == control.Stop && errors.Is(err, controlclient.ErrEnded) {
		return done // the master has gone
	}
	if err != nil {
		return c.fail(err)
	}
	return c.end(result)
}

// context returns a context that ends at the time-out, if there is one.
func (c *call) context() (context.Context, context.CancelFunc) {
	if c.timeout > 0 {
		return context.WithTimeout(context.Background(), c.timeout)
	}
	return context.WithCancel(context.Background())
}

// fail prints an error, and returns its exit status.
func (c *call) fail(err error) int {
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintf(c.stderr, "rota: %s: not done after %v; it goes on\n", c.request.Do, c.timeout)
		return running
	}
	fmt.Fprintf(c.stderr, "rota: %s\n", controlclient.Clean(err.Error()))
	switch {
	case errors.Is(err, controlclient.ErrNoMaster):
		return noMaster
	case errors.Is(err, controlclient.ErrDenied):
		return denied
	}
	return failed
}

// end prints the result, and returns its exit status.
func (c *call) end(r control.Result) int {
	if r.Code == control.Done {
		return done
	}
	fmt.Fprintf(c.stderr, "rota: %s\n", controlclient.Clean(r.Error))
	if r.Stderr != "" {
		fmt.Fprintf(c.stderr, "the worker's last lines:\n%s\n", indent(controlclient.Clean(r.Stderr)))
	}
	if r.Code == control.Invalid {
		return usage
	}
	return failed
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

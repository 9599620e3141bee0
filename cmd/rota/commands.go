package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rota-go/rota/internal/control"
)

// command is one command of rota. The help, the completions of shells and the manual page are made
// from this table, and parse reads by it.
type command struct {
	name     string
	argument string // as the usage shows it
	short    string // what it does, in a few words
	long     string // what else there is to know, in sentences
	// flags adds its own flags, beside those of every command that asks a master. The usage of a flag has
	// the name of its value in back quotes.
	flags func(*flag.FlagSet, *call)
	// check reads the arguments, and checks the flags. nil: there are no arguments.
	check func(*call, *flag.FlagSet) error
	// words are the arguments that a shell offers.
	words func() []string
	// run carries it out without a master. nil: a master is asked, for the name unless flags or check
	// says something else.
	run func(c *call, args []string) int
}

// commands returns the table, in the order of the help.
func commands() []command {
	return []command{
		{name: "status", short: "what runs: workers, sockets, the last reload", flags: jsonFlag},
		{name: "top", short: "workers and sockets, live",
			long:  "Changes are shown as they happen, numbers of connections once a second. q quits, the arrow keys scroll. Where standard output is no terminal it prints one table and ends.",
			flags: func(_ *flag.FlagSet, c *call) { c.request.Do, c.top = control.Status, true }},
		{name: "reload", short: "replace the workers, one after the other",
			long:  "It prints each step; on a terminal there is a progress bar. If the reload fails the workers of before serve on, and the reason and the last lines of the worker that has failed are printed.",
			flags: func(fs *flag.FlagSet, c *call) { waitFlag(fs, c); c.trialFlags(fs) }, check: (*call).checkTrial},
		{name: "promote", short: "end the trial of the canaries of the reload under way"},
		{name: "abort", short: "roll the reload under way back"},
		{name: "pause", short: "have the reload under way stay where it is"},
		{name: "resume", short: "have it go on"},
		{name: "rollback", short: "reload to the release before, also if its file is gone", flags: waitFlag},
		{name: "upgrade", short: "replace the master, and its workers", flags: waitFlag},
		{name: "scale", argument: "N", short: "keep N workers", check: checkScale},
		{name: "restart", argument: "SLOT", short: "replace the worker of a slot, or one worker by its id",
			flags: func(fs *flag.FlagSet, c *call) {
				waitFlag(fs, c)
				fs.IntVar(&c.request.Worker, "id", 0, "`ID` of the worker, in place of the slot")
			}, check: checkRestart},
		{name: "drain", short: "balancers send new clients elsewhere; all is served on",
			long: "Package health of the server tells them: /readyz fails, and the agent says drain, until undrain or a stop, over reloads and upgrades."},
		{name: "undrain", short: "balancers send new clients here again"},
		{name: "stop", short: "end the server gracefully", flags: waitFlag},
		{name: "history", short: "the last changes: when, by whom, with what result", flags: func(fs *flag.FlagSet, c *call) {
			jsonFlag(fs, c)
			c.request.Do, c.history = control.Status, true
		}},
		{name: "watch", short: "the status as a line of JSON, now and after each change"},
		runRow(),
		keepRow(),
		devRow(),
		{name: "completion", argument: "SHELL", short: "completion for bash, zsh or fish, to be sourced", words: shells, run: completion,
			long: "For example: source <(rota completion bash)"},
		{name: "man", short: "the manual page, for man -l or a file rota.1", run: manual},
		{name: "help", argument: "[COMMAND]", short: "all commands, or one of them", words: names, run: helpOn},
	}
}

func jsonFlag(fs *flag.FlagSet, c *call) { fs.BoolVar(&c.json, "json", false, "print it as JSON") }

func waitFlag(fs *flag.FlagSet, c *call) {
	fs.BoolVar(&c.wait, "wait", true, "wait for the end; -wait=false: until the master has accepted it")
}

// masterFlags adds the flags of every command that asks a master.
func masterFlags(fs *flag.FlagSet, c *call) {
	fs.StringVar(&c.socket, "socket", "", "`PATH` of the control socket of the master")
	fs.IntVar(&c.pid, "pid", 0, "`PID` of the master, to find its socket by")
	fs.DurationVar(&c.timeout, "timeout", 0, "`D` such as 30s: how long to wait for the result; what was asked for goes on")
}

// names returns the names of all commands.
func names() (all []string) {
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return all
}

func commandNamed(name string) (command, bool) {
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name })
	if i < 0 {
		return command{}, false
	}
	return all[i], true
}

// flagSet returns the flags of a command, which set fields of c.
func (cmd command) flagSet(c *call) *flag.FlagSet {
	fs := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	if cmd.run == nil {
		c.request.Do, c.wait = control.Do(cmd.name), true
		masterFlags(fs, c)
	}
	if cmd.flags != nil {
		cmd.flags(fs, c)
	}
	return fs
}

// parse reads the flags and the arguments of a command that asks a master.
func (cmd command) parse(args []string) (c call, err error) {
	fs := cmd.flagSet(&c)
	if err := fs.Parse(args); err != nil {
		return c, fmt.Errorf("%s: %w", cmd.name, err)
	}
	c.request.NoWait = !c.wait
	check := cmd.check
	if check == nil {
		check = checkNone
	}
	return c, check(&c, fs)
}

func checkNone(_ *call, fs *flag.FlagSet) error {
	if fs.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument %q", fs.Name(), fs.Arg(0))
	}
	return nil
}

func checkScale(c *call, fs *flag.FlagSet) error {
	return number(fs, fmt.Sprintf("workers: want 1 to %d", control.MaxWorkers), 1, &c.request.Workers)
}

func checkRestart(c *call, fs *flag.FlagSet) error {
	if c.request.Worker != 0 {
		return checkNone(c, fs)
	}
	return number(fs, "want the number of a slot, the first is 0", 0, &c.request.Slot)
}

// number reads the one argument, of at least least. The master knows the most. want says what it is.
func number(fs *flag.FlagSet, want string, least int, to *int) error {
	if fs.NArg() != 1 {
		return fmt.Errorf("%s: want one number", fs.Name())
	}
	n, err := strconv.Atoi(fs.Arg(0))
	if err != nil || n < least {
		return fmt.Errorf("%s: %q: %s", fs.Name(), fs.Arg(0), want)
	}
	*to = n
	return nil
}

// option is a flag as it is shown.
type option struct {
	name, value, text string
	path              bool // a shell offers files
}

// options returns the flags of a command that are its own, or those of every command.
func (cmd command) options(own bool) (all []option) {
	shared := map[string]bool{}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	masterFlags(fs, &call{})
	fs.VisitAll(func(f *flag.Flag) { shared[f.Name] = cmd.run == nil })
	cmd.flagSet(&call{}).VisitAll(func(f *flag.Flag) {
		if shared[f.Name] != own {
			value, text := flag.UnquoteUsage(f)
			all = append(all, option{f.Name, value, text, value == "PATH"})
		}
	})
	return all
}

// usage returns the usage of a command in a line.
func (cmd command) usage() string {
	text := "rota " + cmd.name
	if len(cmd.options(true))+len(cmd.options(false)) > 0 {
		text += " [flags]"
	}
	return strings.TrimSpace(text + " " + cmd.argument)
}

// badUsage is the error of arguments of a command that asks no master.
func (c *call) badUsage(err error) int {
	fmt.Fprintf(c.stderr, "rota: %v; see rota help\n", err)
	return usage
}

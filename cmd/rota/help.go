package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// exits are the exit statuses of commands that ask a master.
var exits = []struct {
	status int
	means  string
}{
	{done, "done"},
	{failed, "failed, and everything is as before"},
	{usage, "wrong usage"},
	{noMaster, "no such master"},
	{denied, "not permitted"},
	{running, "not done at the time-out, or left to the new master of an upgrade; it goes on"},
}

const socketText = "Without -socket and -pid the socket is that of ROTA_CONTROL, or rota.sock in RUNTIME_DIRECTORY."

// printHelp prints the help on all commands.
func printHelp(w io.Writer) {
	fmt.Fprint(w, "usage: rota COMMAND [flags] [argument]\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(t, "  %s\t%s\n", strings.TrimSpace(c.name+" "+c.argument), c.short)
	}
	fmt.Fprint(t, "\nFlags of every command that asks a master:\n")
	printOptions(t, command{}.options(false))
	_ = t.Flush() // as below: a reader that has gone wants no more
	fmt.Fprintf(w, "\n%s\n\nExit status:\n", wrap(socketText, 80))
	for _, e := range exits {
		fmt.Fprintf(w, "  %d  %s\n", e.status, e.means)
	}
	fmt.Fprint(w, "\n\"rota help COMMAND\" has the flags of a command.\n")
}

func printOptions(w io.Writer, all []option) {
	for _, o := range all {
		fmt.Fprintf(w, "  %s\t%s\n", strings.TrimSpace("-"+o.name+" "+o.value), strings.ReplaceAll(wrap(o.text, 60), "\n", "\n  \t"))
	}
}

// printCommand prints the help on one.
func printCommand(w io.Writer, c command) {
	fmt.Fprintf(w, "usage: %s\n\n%s\n", c.usage(), wrap(sentence(c.short)+" "+c.long, 80))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if all := c.options(true); len(all) > 0 {
		fmt.Fprint(t, "\nFlags:\n")
		printOptions(t, all)
	}
	if all := c.options(false); len(all) > 0 {
		fmt.Fprint(t, "\nFlags of every command that asks a master:\n")
		printOptions(t, all)
	}
	_ = t.Flush()
}

// helpOn is "rota help".
func helpOn(c *call, args []string) int {
	if len(args) == 0 {
		printHelp(c.stdout)
		return done
	}
	cmd, ok := commandNamed(args[0])
	if !ok || len(args) > 1 {
		return c.badUsage(fmt.Errorf("help: no command %q", strings.Join(args, " ")))
	}
	printCommand(c.stdout, cmd)
	return done
}

// sentence returns text as a sentence.
func sentence(text string) string {
	text = strings.TrimSuffix(cmp.Or(text, " "), ".")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// wrap breaks text into lines of at most width columns.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

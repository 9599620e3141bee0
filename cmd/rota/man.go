package main

import (
	"fmt"
	"strings"
)

//go:generate sh -c "go run . man >../../docs/rota.1"

// manual is "rota man".
func manual(c *call, args []string) int {
	if len(args) > 0 {
		return c.badUsage(fmt.Errorf("man: unexpected argument %q", args[0]))
	}
	fmt.Fprint(c.stdout, manPage())
	return done
}

// manPage returns the manual page, for man(1).
func manPage() string {
	var b strings.Builder
	b.WriteString(`.\" Made by "rota man" from the table of commands; don't edit.
.TH ROTA 1
.SH NAME
rota \- show and control a server whose workers are replaced one by one
.SH SYNOPSIS
.B rota
.I COMMAND
[flags] [argument]
.SH DESCRIPTION
A server that uses rota.Listen has a master, which owns the sockets, and workers. This command shows what they do, and changes
them, by the control socket of the master.
.SH COMMANDS
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, ".SS %s\n%s\n", roff(c.usage()), roff(strings.TrimSpace(sentence(c.short)+" "+c.long)))
		manOptions(&b, c.options(true))
	}
	b.WriteString(".SH OPTIONS\nThese are flags of every command that asks a master.\n")
	manOptions(&b, command{}.options(false))
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range exits {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", e.status, roff(sentence(e.means)))
	}
	b.WriteString(".SH ENVIRONMENT\n.TP\n.BR ROTA_CONTROL ,\\  RUNTIME_DIRECTORY\n" + roff(socketText) + "\n")
	return b.String()
}

func manOptions(b *strings.Builder, all []option) {
	for _, o := range all {
		fmt.Fprintf(b, ".TP\n.B \\-%s", roff(o.name))
		if o.value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(o.value))
		}
		fmt.Fprintf(b, "\n%s\n", roff(sentence(o.text)))
	}
}

// roff returns text that roff shows as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`).Replace(text)
	if strings.HasPrefix(text, ".") {
		return `\&` + text
	}
	return text
}

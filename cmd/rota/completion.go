package main

import (
	"fmt"
	"strings"
)

func shells() []string { return []string{"bash", "fish", "zsh"} }

// completion is "rota completion".
func completion(c *call, args []string) int {
	if len(args) == 1 {
		if text := script(args[0]); text != "" {
			fmt.Fprint(c.stdout, text)
			return done
		}
	}
	return c.badUsage(fmt.Errorf("completion: want one of %s", strings.Join(shells(), ", ")))
}

// script returns the completion for a shell, or "".
func script(shell string) string {
	switch shell {
	case "bash":
		return bashScript()
	case "fish":
		return fishScript()
	case "zsh":
		return zshScript()
	}
	return ""
}

// allOptions returns the flags of a command, its own first.
func (cmd command) allOptions() []option { return append(cmd.options(true), cmd.options(false)...) }

// offers returns the words that may follow a command: its flags and the arguments that are known.
func (cmd command) offers() (all []string) {
	for _, o := range cmd.allOptions() {
		all = append(all, "-"+o.name)
	}
	if cmd.words != nil {
		all = append(all, cmd.words()...)
	}
	return all
}

func bashScript() string {
	var b strings.Builder
	b.WriteString(`# bash completion for rota. Use: source <(rota completion bash)
_rota() {
	local words=
	if [ "$COMP_CWORD" -eq 1 ]; then
		words="` + strings.Join(names(), " ") + `"
	elif [ "${COMP_WORDS[COMP_CWORD-1]}" != -socket ]; then
		case ${COMP_WORDS[1]} in
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t\t%s) words=\"%s\" ;;\n", c.name, strings.Join(c.offers(), " "))
	}
	b.WriteString(`		esac
	fi
	COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _rota rota
`)
	return b.String()
}

func zshScript() string {
	var b strings.Builder
	b.WriteString(`#compdef rota
# zsh completion for rota. Use: source <(rota completion zsh)
_rota() {
	local -a commands=(
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t\t%s\n", quote(c.name+":"+strings.ReplaceAll(c.short, ":", `\:`)))
	}
	b.WriteString(`	)
	if (( CURRENT == 2 )); then
		_describe command commands
		return
	fi
	local command=$words[2]
	shift words
	(( CURRENT-- ))
	case $command in
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t%s) _arguments%s ;;\n", c.name, zshArguments(c))
	}
	b.WriteString(`	esac
}
if [[ $funcstack[1] == _rota ]]; then
	_rota "$@"
else
	compdef _rota rota
fi
`)
	return b.String()
}

// zshArguments returns the arguments of _arguments for a command.
func zshArguments(c command) string {
	var b strings.Builder
	special := strings.NewReplacer(`[`, `\[`, `]`, `\]`, `:`, `\:`)
	for _, o := range c.allOptions() {
		spec := "-" + o.name + "[" + special.Replace(o.text) + "]"
		switch {
		case o.path:
			spec += ":" + o.value + ":_files"
		case o.value != "":
			spec += ":" + o.value + ":"
		}
		b.WriteString(" " + quote(spec))
	}
	if c.words != nil {
		b.WriteString(" " + quote("1:argument:("+strings.Join(c.words(), " ")+")"))
	}
	return b.String()
}

func fishScript() string {
	var b strings.Builder
	b.WriteString(`# fish completion for rota. Use: rota completion fish | source
complete -c rota -f
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c rota -n __fish_use_subcommand -a %s -d %s\n", c.name, quote(c.short))
	}
	for _, c := range commands() {
		seen := quote("__fish_seen_subcommand_from " + c.name)
		for _, o := range c.allOptions() {
			fmt.Fprintf(&b, "complete -c rota -n %s -o %s -d %s%s\n", seen, o.name, quote(o.text), fishValue(o))
		}
		if c.words != nil {
			fmt.Fprintf(&b, "complete -c rota -n %s -a %s\n", seen, quote(strings.Join(c.words(), " ")))
		}
	}
	return b.String()
}

func fishValue(o option) string {
	switch {
	case o.path:
		return " -r -F"
	case o.value != "":
		return " -x"
	}
	return ""
}

// quote returns text as one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a command.
const (
	maxArgs = 1000
	maxSize = 1 << 20
)

var errProtocol = errors.New("not a command of this protocol")

// answers appends the answers to all whole commands that were read.
func (s *session) answers(out []byte) ([]byte, error) {
	for {
		args, n, err := parse(s.Unread)
		if n == 0 || err != nil {
			return out, err
		}
		s.Unread = s.Unread[n:]
		out = s.answer(out, args)
	}
}

// parse returns the command at the beginning of b, an array of bulk strings, and its length; 0 if b
// has not all of it.
func parse(b []byte) (args []string, n int, err error) {
	count, n, err := number(b, 0, '*', maxArgs)
	for i := 0; i < count && n > 0 && err == nil; i++ {
		var size int
		size, n, err = number(b, n, '$', maxSize)
		switch end := n + size + 2; {
		case n == 0 || err != nil:
		case len(b) < end:
			return nil, 0, nil
		default:
			args = append(args, string(b[n:n+size]))
			n = end
		}
	}
	return args, n, err
}

// number parses a line at b[from:], as "$3", and returns where the next begins; 0 if the line isn't
// whole.
func number(b []byte, from int, kind byte, limit int) (v, next int, err error) {
	line, _, ok := bytes.Cut(b[from:], []byte("\r\n"))
	if len(line) > 0 && line[0] != kind || len(line) > 20 {
		return 0, 0, errProtocol
	}
	if !ok {
		return 0, 0, nil
	}
	if len(line) > 0 {
		v, err = strconv.Atoi(string(line[1:]))
	}
	if len(line) == 0 || err != nil || v < 0 || v > limit {
		return 0, 0, errProtocol
	}
	return v, from + len(line) + 2, nil
}

// answer appends the answer to a command.
func (s *session) answer(out []byte, args []string) []byte {
	if s.Keys == nil {
		s.Keys = map[string]string{}
	}
	name := ""
	if len(args) > 0 {
		name = strings.ToUpper(args[0])
	}
	switch {
	case name == "PING" && len(args) == 1:
		return append(out, "+PONG\r\n"...)
	case name == "SET" && len(args) == 3:
		s.Keys[args[1]] = args[2]
		return append(out, "+OK\r\n"...)
	case name == "GET" && len(args) == 2:
		return s.get(out, args[1])
	case name == "INCR" && len(args) == 2:
		return s.incr(out, args[1])
	}
	return fmt.Appendf(out, "-ERR unknown command %q with %d arguments\r\n", name, max(0, len(args)-1))
}

func (s *session) get(out []byte, key string) []byte {
	v, ok := s.Keys[key]
	if !ok {
		return append(out, "$-1\r\n"...)
	}
	return fmt.Appendf(out, "$%d\r\n%s\r\n", len(v), v)
}

func (s *session) incr(out []byte, key string) []byte {
	v, err := strconv.Atoi(s.Keys[key])
	if _, ok := s.Keys[key]; ok && err != nil {
		return append(out, "-ERR value is not an integer\r\n"...)
	}
	s.Keys[key] = strconv.Itoa(v + 1)
	return fmt.Appendf(out, ":%d\r\n", v+1)
}

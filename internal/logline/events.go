package logline

import "log/slog"

// Events has the log lines about event functions and messages.
type Events struct{ *slog.Logger }

// Panicked says that a function of the program has panicked.
func (l Events) Panicked(value any, stack []byte) {
	l.Error("rota: an event function panicked", "panic", value, "stack", string(stack))
}

// Dropped says that nobody wants the messages of a worker.
func (l Events) Dropped(worker int) {
	l.Warn("rota: messages of worker dropped, nobody has subscribed to them", "worker", worker)
}

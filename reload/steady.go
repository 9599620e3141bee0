package reload

// IsSteady reports whether every slot from 0 to workers-1 has a worker that is ready and
// serves, none is starting, and none leaves: what no worker uses now is not used any more.
func IsSteady(workers int, members []Member) bool {
	served := map[int]bool{}
	for i := range members {
		switch m := &members[i]; {
		case m.dead():
		case !m.serving() || !m.isReady():
			return false
		case m.Slot < workers:
			served[m.Slot] = true
		}
	}
	return len(served) == workers
}

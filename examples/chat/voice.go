package main

import "time"

// keepFor is how long a text is kept for members that are in another worker when it is said. Where one reload follows
// another, they may come later than the member that has said it, and by another way.
const keepFor = 10 * time.Second

// voice is what a member has said. It goes with the member from worker to worker.
type voice struct {
	ID     string // is that of no other member
	Count  int    // of its texts
	Recent []text // the last of them
}

type text struct {
	At   int64 // Unix time in milliseconds
	Text string
}

func (v *voice) add(s string, now time.Time) {
	v.forget(now)
	v.Count++
	v.Recent = append(v.Recent, text{now.UnixMilli(), s})
}

// after returns the texts that follow the first n of them.
func (v *voice) after(n int) []text {
	return v.Recent[len(v.Recent)-max(0, min(v.Count-n, len(v.Recent))):]
}

// forget forgets texts that all members have heard.
func (v *voice) forget(now time.Time) {
	n := 0
	for n < len(v.Recent) && v.Recent[n].At < now.Add(-keepFor).UnixMilli() {
		n++
	}
	v.Recent = v.Recent[n:]
}

// voices are those that a worker knows, by their IDs.
type voices map[string]*voice

// learn adds a voice of another worker, or what it has said there, and returns what is known of it.
func (all voices) learn(v *voice) *voice {
	if known := all[v.ID]; known == nil || known.Count < v.Count {
		all[v.ID] = v
	}
	return all[v.ID]
}

// counts returns how many texts each has.
func (all voices) counts() map[string]int {
	n := map[string]int{}
	for id, v := range all {
		n[id] = v.Count
	}
	return n
}

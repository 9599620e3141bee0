package top

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/rota-go/rota/status"
)

// The messages of a model.
type (
	known struct { // a status has come
		status status.Status
		at     time.Time // by this process's clock
	}
	lost struct{ err error } // the master can't be reached
	tick time.Time           // time has passed
)

// screen is what a frame shows.
type screen struct {
	status status.Status
	now    time.Time    // by the master's clock
	rates  map[int]rate // by worker
	lost   error        // why the status is old; nil: it isn't
}

// rate is how much a worker has served a second.
type rate struct{ accepted, requests float64 }

// model is the state of the live table. It is a value: Update returns the next one.
type model struct {
	screen
	came          time.Time     // when the status has come, by this process's clock
	base          status.Status // what the rates are counted from
	width, height int           // 0: not known yet
	top           int           // the first line that is shown
}

func newModel(s status.Status, at time.Time) model {
	return model{screen: screen{status: s, now: s.Time, rates: map[int]rate{}}, came: at, base: s}
}

// Init starts the clock.
func (m model) Init() tea.Cmd { return nextTick() }

func nextTick() tea.Cmd { return tea.Tick(pause, func(t time.Time) tea.Msg { return tick(t) }) }

// Update takes a message.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case known:
		return m.learn(msg), nil
	case lost:
		m.lost = msg.err
	case tick:
		m.now = m.status.Time.Add(time.Time(msg).Sub(m.came))
		return m, nextTick()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.top = min(m.top, m.last())
	case tea.KeyPressMsg:
		return m.key(msg.String())
	}
	return m, nil
}

// learn takes a status, unless it is older than the one of the same master that is shown: the
// newest wins, whichever way it has come.
func (m model) learn(k known) model {
	if k.status.PID == m.status.PID && k.status.Time.Before(m.status.Time) {
		return m
	}
	m.status, m.now, m.came, m.lost = k.status, k.status.Time, k.at, nil
	if passed := m.status.Time.Sub(m.base.Time); passed >= pause*9/10 || m.status.PID != m.base.PID {
		m.rates, m.base = rates(m.base, m.status, passed), m.status
	}
	m.top = min(m.top, m.last())
	return m
}

// rates returns how many connections each worker has accepted, and how many requests it has served, a second between two statuses.
func rates(from, to status.Status, passed time.Duration) map[int]rate {
	all := map[int]rate{}
	if from.PID != to.PID || passed <= 0 {
		return all
	}
	before := map[int]status.Counters{}
	for _, w := range from.Workers {
		before[w.ID] = w.Counters
	}
	for _, w := range to.Workers {
		a, b := before[w.ID], w.Counters
		all[w.ID] = rate{perSecond(a.Accepted, b.Accepted, passed), perSecond(a.Requests, b.Requests, passed)}
	}
	return all
}

func perSecond(from, to int64, passed time.Duration) float64 {
	return max(0, float64(to-from)) / passed.Seconds()
}

// key obeys a key.
func (m model) key(name string) (tea.Model, tea.Cmd) {
	page := max(1, m.room())
	step := map[string]int{
		"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -page, "pgdown": page, "space": page, "home": -m.last(), "end": m.last(),
	}
	switch name {
	case "q", "esc", "ctrl+c":
		return m, tea.Quit
	default:
		m.top = min(max(m.top+step[name], 0), m.last())
	}
	return m, nil
}

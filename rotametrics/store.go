package rotametrics

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/prometheus/common/model"
)

// The memory is divided into blocks. A block has a head, and entries one after the other. Everything is
// of the machine's byte order, as the processes are on one machine.
//
//	head   kind, 4 bytes; used, 4: bytes of entries; slot, 4; worker, 4; epoch, 8; in the first block: begun blocks, 8
//	entry  size, 4 bytes; type, 4; length of the key, 4; number of cells, 4; the key, JSON; cells of 8 bytes each
//
// The sizes of entries and keys are multiples of 8. An entry of a block of sums never changes, except for its
// cells, and is there when used includes it. A block of gauges is emptied by its next owner: epoch is odd meanwhile.
const (
	blockSize = 16 << 10
	headSize  = 32
	entryHead = 16

	maxCells = 1 << 10
)

// The kinds of blocks.
const (
	unused = 0
	sums   = 1
	gauges = 2
)

// kind is the type of a metric.
type kind uint32

// The types of metrics, with their cells.
const (
	counterKind   kind = 1 // the sum of integers, the sum of other numbers
	gaugeKind     kind = 2 // the value
	histogramKind kind = 3 // the sum, and the number of observations in each bucket; the last is +Inf
	summaryKind   kind = 4 // the number, the sum
	untypedKind   kind = 5 // as a gauge
)

// series names the cells of one series.
type series struct {
	Kind   kind      `json:"-"`
	Name   string    `json:"n"`
	Help   string    `json:"h,omitempty"`
	Labels []string  `json:"l,omitempty"` // names and values, by name
	Bounds []float64 `json:"b,omitempty"` // of a histogram, without +Inf
}

// id returns what tells s from other series. Help doesn't.
func (s series) id() string {
	s.Help = ""
	b, _ := json.Marshal(struct {
		series
		K kind
	}{s, s.Kind}) // bounds are finite
	return string(b)
}

// valid reports whether s can be served, with others of its name.
func (s series) valid() bool {
	for i := 0; i < len(s.Labels); i += 2 {
		if !model.UTF8Validation.IsValidLabelName(s.Labels[i]) || i > 0 && s.Labels[i] <= s.Labels[i-2] {
			return false
		}
	}
	return model.UTF8Validation.IsValidMetricName(s.Name) && len(s.Labels)%2 == 0 && slices.IsSorted(s.Bounds) && s.Kind >= counterKind && s.Kind <= untypedKind
}

// cells returns how many cells s has.
func (s series) cells() int {
	switch s.Kind {
	case histogramKind:
		return len(s.Bounds) + 2
	case counterKind, summaryKind:
		return 2
	}
	return 1
}

// cells are the numbers of a series.
type cells []atomic.Uint64

func (c cells) float(i int) float64 { return math.Float64frombits(c[i].Load()) }

func (c cells) setFloat(i int, v float64) { c[i].Store(math.Float64bits(v)) }

func (c cells) addFloat(i int, v float64) {
	for {
		old := c[i].Load()
		if c[i].CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// raise sets a cell to n, unless it is more.
func (c cells) raise(i int, n uint64) uint64 {
	for {
		old := c[i].Load()
		if old >= n || c[i].CompareAndSwap(old, n) {
			return max(old, n)
		}
	}
}

// entry is one series in the memory.
type entry struct {
	series
	cells  cells
	worker int // of a gauge
	slot   int
}

// store has the series of all processes that have mapped its memory.
type store struct {
	memory
	slot, worker int       // of this process
	observed     sync.Once // this process counts what package rotahttp serves
	reads        bool      // this process adds nothing: it may lose the locks of the file, which it also has for others

	mu      sync.Mutex
	entries []entry           // of the blocks of sums, as far as they have been read
	read    map[int]uint32    // by block: how many bytes that is
	index   map[string]cells  // of entries, by id: the first
	own     map[string]cells  // gauges of this process
	mine    map[int]bool      // blocks that this process owns
	last    map[uint32]int    // by kind: the block to append to
	known   map[string]series // by name: of this process's program
	shared  map[string]bool   // names of metrics of this package's functions
	dropped atomic.Uint64     // series that had no place
}

func newStore(m memory) *store {
	return &store{
		memory: m, read: map[int]uint32{}, index: map[string]cells{}, own: map[string]cells{},
		mine: map[int]bool{}, last: map[uint32]int{}, known: map[string]series{}, shared: map[string]bool{},
	}
}

// blocks returns how many blocks there are.
func (s *store) blocks() int { return len(s.data) / blockSize }

// word returns 4 bytes of a block's head.
func (s *store) word(block, offset int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&s.data[block*blockSize+offset]))
}

func (s *store) kindOf(block int) *atomic.Uint32 { return s.word(block, 0) }
func (s *store) used(block int) *atomic.Uint32   { return s.word(block, 4) }
func (s *store) slotOf(block int) *atomic.Uint32 { return s.word(block, 8) }
func (s *store) idOf(block int) *atomic.Uint32   { return s.word(block, 12) }

func (s *store) epoch(block int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&s.data[block*blockSize+16]))
}

// high is the number of blocks that may have been begun; it is in the first block's head. Reading the others would give
// them memory.
func (s *store) high() cells { return s.cellsAt(24, 1) }

func (s *store) begun() int { return int(min(s.high()[0].Load(), uint64(s.blocks()))) }

// cellsAt returns n cells from an offset of the memory, which is a multiple of 8.
func (s *store) cellsAt(offset, n int) cells {
	return unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&s.data[offset])), n)
}

// open returns the cells of a series: of all processes, or if it is a gauge those of this one. If there is no
// place, they are this process's alone.
func (s *store) open(d series) cells {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[d.Name] = d
	index, block, id := s.index, uint32(sums), d.id()
	if d.Kind == gaugeKind || d.Kind == untypedKind {
		index, block = s.own, gauges
	}
	if c, ok := index[id]; ok {
		return c
	}
	if block == sums {
		s.readSums()
		if c, ok := index[id]; ok {
			return c
		}
	}
	c := s.append(block, d)
	if c == nil {
		c = make(cells, d.cells())
	}
	index[id] = c
	return c
}

// markShared records that a metric is one of this package's functions.
func (s *store) markShared(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared[name] = true
}

func (s *store) isShared(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shared[name]
}

// append adds a series to a block of this process. It returns nil if there is no place.
func (s *store) append(kind uint32, d series) cells {
	if s.reads {
		return nil
	}
	key, err := json.Marshal(d)
	padded := (len(key) + 7) &^ 7
	size := entryHead + padded + 8*d.cells()
	if err != nil || size > blockSize-headSize || d.cells() > maxCells {
		s.dropped.Add(1)
		return nil
	}
	block, ok := s.room(kind, size)
	if !ok {
		s.dropped.Add(1)
		return nil
	}
	used := s.used(block).Load()
	at := block*blockSize + headSize + int(used)
	head := s.data[at : at+entryHead]
	binary.NativeEndian.PutUint32(head, uint32(size))
	binary.NativeEndian.PutUint32(head[4:], uint32(d.Kind))
	binary.NativeEndian.PutUint32(head[8:], uint32(len(key)))
	binary.NativeEndian.PutUint32(head[12:], uint32(d.cells()))
	copy(s.data[at+entryHead:], key)
	c := s.cellsAt(at+entryHead+padded, d.cells())
	for i := range c {
		c[i].Store(0)
	}
	s.used(block).Store(used + uint32(size)) // from here on it is there
	return c
}

// room returns a block of this process that has room for size bytes more.
func (s *store) room(kind uint32, size int) (block int, ok bool) {
	fits := func(b int) bool { return headSize+int(s.used(b).Load())+size <= blockSize }
	if b, ok := s.last[kind]; ok && fits(b) {
		return b, true
	}
	for b := range s.blocks() {
		if s.mine[b] || !s.lock(b) {
			continue
		}
		switch found := s.kindOf(b).Load(); {
		case found == unused:
			s.begin(b, kind)
		case found != kind:
			s.unlock(b)
			continue
		case kind == gauges:
			s.begin(b, kind) // of a process that has ended
		case !fits(b):
			s.unlock(b)
			continue
		}
		if full, ok := s.last[kind]; ok && kind == sums {
			s.unlock(full)
			delete(s.mine, full)
		}
		s.mine[b], s.last[kind] = true, b
		return b, true
	}
	return 0, false
}

// begin empties a block that this process owns.
func (s *store) begin(b int, kind uint32) {
	s.high().raise(0, uint64(b)+1)
	s.epoch(b).Store(s.epoch(b).Load() | 1)
	s.used(b).Store(0)
	s.slotOf(b).Store(uint32(s.slot))
	s.idOf(b).Store(uint32(s.worker))
	s.kindOf(b).Store(kind)
	s.epoch(b).Add(1)
}

// readSums reads what processes have added to the blocks of sums. The caller holds mu.
func (s *store) readSums() {
	for b := range s.begun() {
		if s.kindOf(b).Load() != sums {
			continue
		}
		s.read[b] = s.parse(b, s.read[b], func(e entry) {
			s.entries = append(s.entries, e)
			if id := e.id(); s.index[id] == nil {
				s.index[id] = e.cells
			}
		})
	}
}

// parse calls f with the entries of a block from an offset on, and returns where it has ended. What is not an
// entry ends it: a process may have written anything.
func (s *store) parse(b int, from uint32, f func(entry)) (to uint32) {
	base := b*blockSize + headSize
	used := min(s.used(b).Load(), blockSize-headSize)
	for from+entryHead <= used {
		e, size := s.parseEntry(base+int(from), int(used-from))
		if size == 0 {
			return from
		}
		if e.Name != "" {
			f(e)
		}
		from += uint32(size)
	}
	return from
}

// parseEntry returns the entry at an offset of the memory, and its size, at most room; 0 if there is none.
func (s *store) parseEntry(at, room int) (e entry, size int) {
	head := s.data[at : at+entryHead]
	size = int(binary.NativeEndian.Uint32(head))
	length, n := int(binary.NativeEndian.Uint32(head[8:])), int(binary.NativeEndian.Uint32(head[12:]))
	padded := (length + 7) &^ 7
	if size%8 != 0 || size > room || length > size || n < 0 || n > maxCells || entryHead+padded+8*n != size {
		return e, 0
	}
	d := series{Kind: kind(binary.NativeEndian.Uint32(head[4:]))}
	if json.Unmarshal(s.data[at+entryHead:at+entryHead+length], &d) != nil || d.cells() != n || !d.valid() {
		return e, size // of another version
	}
	return entry{series: d, cells: s.cellsAt(at+entryHead+padded, n)}, size
}

// all returns all series: the sums, and the gauges of processes that live.
func (s *store) all() (all []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readSums()
	all = append(all, s.entries...)
	for b := range s.begun() {
		if s.kindOf(b).Load() == gauges && (s.mine[b] || s.held(b)) {
			all = append(all, s.gauges(b)...)
		}
	}
	return all
}

// gauges returns the gauges of a block, with copies of their cells.
func (s *store) gauges(b int) (all []entry) {
	epoch := s.epoch(b).Load()
	slot, id := int(s.slotOf(b).Load()), int(s.idOf(b).Load())
	s.parse(b, 0, func(e entry) {
		copied := make(cells, len(e.cells))
		for i := range copied {
			copied[i].Store(e.cells[i].Load())
		}
		e.cells, e.slot, e.worker = copied, slot, id
		all = append(all, e)
	})
	if epoch%2 != 0 || s.epoch(b).Load() != epoch {
		return nil // its owner has ended meanwhile
	}
	return all
}

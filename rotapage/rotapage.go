// Package rotapage serves a page that shows a rota: its workers by slot with their state, connections and age, a reload
// as it moves through the slots, sockets with their accept queues, and the history. It is read-only unless
// Options.Write says otherwise. Nothing is loaded from elsewhere, and without JavaScript it shows what was when it was loaded.
//
//	http.Handle("/rota/", rotapage.Handler(rotapage.Options{}))
//
// Any worker can serve it, and so can the master (Options.Master). The path must end in a slash. Who may see the page
// is the program's affair: it shows addresses, pids, paths of executables and the last lines of workers that have crashed.
package rotapage

import (
	"embed"
	"net/http"
	"path"
	"slices"
	"strconv"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/master"
)

// Options are the options of Handler.
type Options struct {
	// Master is the master that the page shows. Nil means that of the worker that serves the page.
	Master *master.Master
	// Write puts buttons on the page, which reload the workers and roll back to the release before, and pause, resume, promote
	// and abort a reload. Who can see the page can press them. Requests from pages of other origins are refused
	// (http.CrossOriginProtection), and those that come to a loopback address by another name than localhost: a name of another
	// site may stand for that address. In a worker the first sends the master SIGHUP, and the others ask its control
	// socket (master.Config.Control). The kernel refuses all if the workers have a user of their own (master.Config.User).
	Write bool
	// Title is the name of the service. Empty means "rota".
	Title string
}

// maxReaders is how many pages are kept up to date by a handler. More are as without JavaScript.
const maxReaders = 64

//go:embed page.css page.js page.html
var files embed.FS

// Handler returns the handler of a page, for a path that ends in a slash.
func Handler(o Options) http.Handler { return newHandler(o, sourceOf(o), maxReaders) }

func newHandler(o Options, from source, readers int) http.Handler {
	if o.Title == "" {
		o.Title = "rota"
	}
	p := &page{Options: o, source: from, readers: make(chan struct{}, readers)}
	return http.NewCrossOriginProtection().Handler(p)
}

// page serves the page.
type page struct {
	Options
	source  source
	readers chan struct{} // has a value for each that is kept up to date
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	do := ""
	if r.URL.Path != "" && r.URL.Path[len(r.URL.Path)-1] != '/' {
		do = path.Base(r.URL.Path)
	}
	p.route(w, r, do)
}

func (p *page) route(w http.ResponseWriter, r *http.Request, do string) {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	isButton := slices.Contains(buttons, control.Do(do))
	switch {
	case isButton && !p.Write:
		http.Error(w, "this page is read-only", http.StatusForbidden)
	case isButton && isRebound(r):
		http.Error(w, "this page is served to this host alone, and not by the name "+strconv.Quote(r.Host), http.StatusForbidden)
	case isButton && r.Method == http.MethodPost:
		p.press(w, r, control.Do(do))
	case !read || isButton:
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	case do == "":
		p.html(w, r)
	case do == "events":
		p.events(w, r)
	case do == "page.css" || do == "page.js":
		http.ServeFileFS(w, r, files, do)
	default:
		http.NotFound(w, r)
	}
}

// buttons are what a page that may be written to can do.
var buttons = []control.Do{control.Reload, control.Rollback, control.Pause, control.Resume, control.Promote, control.Abort}

// press does what a button says. It doesn't wait for the end of a reload, which the page shows, and which may be the end of this worker.
func (p *page) press(w http.ResponseWriter, r *http.Request, button control.Do) {
	if err := p.source.press(r.Context(), button, "page "+r.RemoteAddr); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "./", http.StatusSeeOther)
}

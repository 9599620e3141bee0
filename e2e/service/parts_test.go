//go:build linux

package service

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// What the programs use and a reader has: a handler, and a database.

var handler = http.HandlerFunc(server.Answer)

// load and store are a database of one file for each key.
func load(key string) string {
	b, _ := os.ReadFile(filepath.Join(os.Getenv(e2etest.FlagsEnv), key))
	return string(b)
}

func store(key, value string) {
	_ = os.WriteFile(filepath.Join(os.Getenv(e2etest.FlagsEnv), key), []byte(value), 0o600)
}

// connector opens connections to the database of the test, which counts them.
var connector driver.Connector = dialer{}

type dialer struct{}

func (dialer) Driver() driver.Driver { return nil }

func (dialer) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		return nil, err
	}
	return session{c}, nil
}

type session struct{ net.Conn }

var errNoQueries = errors.New("this database answers no queries")

func (session) Prepare(string) (driver.Stmt, error) { return nil, errNoQueries }
func (session) Begin() (driver.Tx, error)           { return nil, errNoQueries }

// query uses a connection of db for each request.
func query(db *sql.DB) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := db.Conn(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer c.Close()
		time.Sleep(10 * time.Millisecond)
		fmt.Fprintln(w, os.Getpid())
	})
}

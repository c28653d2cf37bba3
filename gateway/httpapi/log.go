package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"muster/adapters"
	"muster/gateway"
)

// subjectKey is where a Gin context keeps the pseudonyms of the person whom a request is
// about.
const subjectKey = "subject"

// logged writes one line a request: which route, never which path, so that no
// person and no token stands in a log. Probes are told only where somebody debugs.
func (d *door) logged(c *gin.Context) {
	begin := time.Now()
	c.Next()
	level := slog.LevelInfo
	if probe(c) {
		level = slog.LevelDebug
	}
	attributes := append(make([]slog.Attr, 0, 6),
		slog.String("method", known(c.Request.Method)), slog.String("route", c.FullPath()),
		slog.Int("status", c.Writer.Status()), slog.Float64("duration_ms", float64(time.Since(begin).Microseconds())/1000),
		slog.String("operation_id", operationOf(c)))
	if subject := c.GetString(subjectKey); subject != "" {
		attributes = append(attributes, slog.String("subject", subject))
	}
	d.log.LogAttrs(c.Request.Context(), level, "request", attributes...)
}

// known is the method, or "other": HTTP allows any word, and a word may be a name.
func known(method string) string {
	if slices.Contains([]string{
		http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodTrace,
	}, method) {
		return method
	}
	return "other"
}

// recovered answers 500 in place of a panic. The panic is logged by its type and
// its place alone; its text may be about a person.
func (d *door) recovered(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p) // net/http's own way to drop a connection
		}
		d.log.LogAttrs(c.Request.Context(), slog.LevelError, "handler panicked", slog.String("panic", fmt.Sprintf("%T", p)),
			slog.String("stack", adapters.PanicStack()), slog.String("operation_id", operationOf(c)))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // half an answer must not pass for one
		}
		refuse(c, internal())
	}()
	c.Next()
}

// internal is all that a caller is told of our own mistakes.
func internal() *gateway.RequestError {
	return &gateway.RequestError{
		Status: http.StatusInternalServerError, Title: "Internal error.",
		Reason: "The gateway failed on this request.", Resolution: "Give the operation id to an operator.",
	}
}

package httpapi

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"muster/gateway"
)

// maxInside is how many requests may be under way at once. One that waits for its sources
// takes some 100 KiB for each of them, and over HTTP/2 there may be a hundred such on a
// connection.
const maxInside = 4096

// crowded is after what time whoever was turned away may come again.
const crowded = time.Second

// let lets in as many requests as there is room for, of those who may ask at all, and
// answers 503 to the others at once.
//
// That requests wait for a processor is no reason to refuse any: the server does as much
// as ever when five times as much is asked, and how many wait is bounded by the connections
// (docs/decisions, 0024).
func (d *door) let(c *gin.Context) {
	defer d.inside.Add(-1)
	if d.inside.Add(1) <= maxInside {
		c.Next()
		return
	}
	d.refused.Add(c.Request.Context(), 1)
	c.Header("Retry-After", wholeSeconds(crowded))
	refuse(c, &gateway.RequestError{
		Status: http.StatusServiceUnavailable, Title: "Too much to do.",
		Reason: "As many requests are under way as the gateway has room for.", Resolution: "Retry after 1 second.",
	})
}

// refusals counts whom let turns away.
func refusals(meters metric.MeterProvider) metric.Int64Counter {
	counter, err := meters.Meter("muster/gateway/httpapi").Int64Counter("muster.overload.refusals",
		metric.WithUnit("{request}"), metric.WithDescription("Requests refused, since as many were under way as there is room for."))
	if err != nil { // which is for a name that is none
		return metricnoop.Int64Counter{}
	}
	return counter
}

package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"muster/adapters"
	"muster/gateway"
)

// buckets limit how often each of many may do something. Memory is bounded, and nobody
// gets rid of what another has used: only who may do all again is forgotten, and who
// comes when there is no room shares one bucket with others who do.
type buckets struct {
	most int

	mu    sync.Mutex
	all   map[string]*rate.Limiter
	rest  *rate.Limiter
	swept time.Time
}

func newBuckets(most int) *buckets {
	return &buckets{most: most, all: map[string]*rate.Limiter{}}
}

// level is how full a bucket is.
type level struct {
	ok    bool
	left  int           // that may still be done at once
	full  time.Duration // until all of it may be done again
	after time.Duration // until what was refused may be done
}

// take takes n at once, or nothing. More than the bucket holds is all that it holds:
// or it could never be had.
func (b *buckets) take(key string, r adapters.Rate, n int) level {
	now, wanted := time.Now(), min(n, r.Calls)
	limiter := b.limiter(key, r, now)
	ok := limiter.AllowN(now, wanted)
	left := limiter.TokensAt(now)
	each := float64(r.Per) / float64(r.Calls)
	return level{
		ok: ok, left: max(0, int(left)),
		full:  time.Duration(each * (float64(r.Calls) - left)),
		after: time.Duration(each * max(0, float64(wanted)-left)),
	}
}

// limiter is the bucket of a key, as the configuration in force has it.
func (b *buckets) limiter(key string, r adapters.Rate, now time.Time) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter := b.all[key]
	if limiter == nil && len(b.all) >= b.most && now.Sub(b.swept) >= time.Second {
		b.swept = now
		for other, l := range b.all {
			if l.TokensAt(now) >= float64(l.Burst()) {
				delete(b.all, other)
			}
		}
	}
	limit := rate.Limit(float64(r.Calls) / r.Per.Seconds())
	switch {
	case limiter == nil && len(b.all) >= b.most && b.rest != nil:
		limiter = b.rest
	case limiter == nil && len(b.all) >= b.most:
		limiter = rate.NewLimiter(limit, r.Calls)
		b.rest = limiter
	case limiter == nil:
		limiter = rate.NewLimiter(limit, r.Calls)
		b.all[key] = limiter
	}
	if limiter.Burst() != r.Calls || limiter.Limit() != limit {
		limiter.SetLimitAt(now, limit)
		limiter.SetBurstAt(now, r.Calls)
	}
	return limiter
}

// maxBuckets bounds whom limits are kept for, apart: some MiB.
const maxBuckets = 1 << 16

// limits are how often callers may ask, and how often somebody may come with a token
// that is not believed.
type limits struct{ callers, tenants, strangers *buckets }

func newLimits() limits {
	return limits{newBuckets(maxBuckets), newBuckets(maxBuckets), newBuckets(maxBuckets)}
}

// spend counts n people against what the caller may ask, and their tenant, where it is
// known. It answers 429 and is false where that is too many.
func (d *door) spend(c *gin.Context, tenant string, n int) bool {
	header, caller := c.Writer.Header(), callerOf(c)
	header.Del("RateLimit-Policy") // of what was spent before, for the same request
	header.Del("RateLimit")
	if caller != nil && caller.Rate.Calls > 0 {
		at := d.limits.callers.take(fmt.Sprintf("%d %s %s", len(caller.Issuer), caller.Issuer, caller.Subject), caller.Rate, n)
		if tell(header, "caller", caller.Rate, at); !at.ok {
			tooOften(c, at.after, "The caller asks for more people in a time than an operator allows.")
			return false
		}
	}
	// Who is not the tenant's uses up nothing of its, and a tenant that is not there
	// has nothing.
	known := d.engine.Live().Tenants[tenant]
	if known != nil && known.Rate.Calls > 0 && caller.Admit(tenant) == nil {
		at := d.limits.tenants.take(tenant, known.Rate, n)
		if tell(header, "tenant", known.Rate, at); !at.ok {
			tooOften(c, at.after, "The tenant's callers ask for more people in a time than an operator allows.")
			return false
		}
	}
	return true
}

// metered counts a request as one person; what asks for more spends the rest itself.
func (d *door) metered(c *gin.Context) {
	d.spend(c, new(parameters).segment(c.Param("tenant")), 1)
}

// tell writes the fields of draft-ietf-httpapi-ratelimit-headers-10.
func tell(header http.Header, name string, r adapters.Rate, at level) {
	header.Add("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", name, r.Calls, int(r.Per.Seconds())))
	header.Add("RateLimit", fmt.Sprintf("%q;r=%d;t=%s", name, at.left, wholeSeconds(at.full)))
}

func tooOften(c *gin.Context, after time.Duration, reason string) {
	after = time.Duration(math.Ceil(max(after.Seconds(), 1))) * time.Second
	c.Header("Retry-After", wholeSeconds(after))
	refuse(c, &gateway.RequestError{
		Status: http.StatusTooManyRequests, Title: "Too many requests.",
		Reason: reason, Resolution: fmt.Sprintf("Retry after %s.", plural(int(after/time.Second), "second")),
	})
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// strangers is how often tokens that are not believed may come from one address: each
// costs a signature's verification. Behind one address there may be many people, and
// whose token is remembered is let in whatever the others do.
func strangers() adapters.Rate { return adapters.Rate{Calls: 3000, Per: time.Minute} }

// stranger is the key of whom a token that is not believed is held against; "" for
// nobody. Of IPv6, whoever has one address has 2⁶⁴. This machine is everybody, where a
// proxy on it is not named as one.
func (d *door) stranger(r *http.Request) string {
	address := d.proxies.client(r)
	if !address.IsValid() || address.IsLoopback() {
		return ""
	}
	bits := 32
	if address.Is6() {
		bits = 64
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}

// Looks again every few seconds, less often as time goes by, and not while
// nobody is looking. Without script the page's own refresh does it.
const key = 'looked:' + location.pathname
const seconds = Number(document.body.dataset.refresh) || 3
const looked = Number(sessionStorage.getItem(key)) || 0

function again() {
  if (document.hidden) {
    document.addEventListener('visibilitychange', again, { once: true })
    return
  }
  sessionStorage.setItem(key, String(looked + 1))
  location.reload()
}

setTimeout(again, Math.min(seconds * 1000 * 1.3 ** looked, 20000))

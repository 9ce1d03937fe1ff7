// Makes the form of a booking easier to fill in: digits of a card in groups, and
// no second press while the first is under way. Sending it twice would book once
// in any case.
const form = document.getElementById('booking')
const number = form.elements.card_number
const expiry = form.elements.card_expiry

number.addEventListener('input', () => {
  if (number.selectionStart !== number.value.length) return // in the middle, a jump would disturb
  number.value = number.value.replace(/\D/g, '').slice(0, 19).replace(/(\d{4})(?=\d)/g, '$1 ')
})

expiry.addEventListener('input', (event) => {
  if (event.inputType && event.inputType.startsWith('delete')) return
  const digits = expiry.value.replace(/^(\d)\//, '0$1/').replace(/\D/g, '').slice(0, 6) // MM/YY, M/YY, MM/YYYY
  if (digits.length >= 2) {
    expiry.value = digits.slice(0, 2) + '/' + digits.slice(2)
  }
})

form.addEventListener('submit', (event) => {
  if (form.ariaBusy === 'true') {
    event.preventDefault()
    return
  }
  form.ariaBusy = 'true'
})

// A page that comes back from the browser's memory can be sent again.
window.addEventListener('pageshow', () => { form.ariaBusy = 'false' })

const wrong = document.querySelector('[aria-invalid="true"]')
if (wrong) wrong.focus()

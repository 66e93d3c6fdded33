require 'digest'
require 'json'

notes = File.open(ENV.fetch('ARRIVALS'), 'a')
notes.sync = true

run lambda { |env|
  body = env['rack.input'].read
  notes.write("#{JSON.parse(body)['data']['id']} #{Digest::SHA256.hexdigest(body)}\n")
  [200, { 'content-type' => 'application/json' }, ['{"status":"success"}']]
}

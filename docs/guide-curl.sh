curl --location --request PATCH 'https://sandbox.bitex.la/api/users/me' \
--header 'Content-Type: application/json' \
--header 'Authorization: your_api_key' \
--data-raw '{
    "data": {
        "id": "5",
        "type": "users",
        "attributes": {
            "webhook_url": "https://example.com",
        }
    }
}'
